#include "client/cli/watcher.h"

#include <chrono>
#include <cstdio>

#include "client/cli/arguments.h"
#include "client/cli/words.h"
#include "client/tls/openssl.h"

namespace tern::cli {
namespace {

struct Context {
  std::string_view name;
  Subjects subjects;
};
// All that librdkafka has; 0: nothing of that is seen by an Observer.
constexpr Context kContexts[] = {
    {"all", ~0u},
    {"generic", kTellTrouble},
    {"broker", kTellConnections | kTellTrouble},
    {"topic", kTellMetadata},
    {"metadata", kTellMetadata | kTellTrouble},
    {"feature", kTellVersions},
    {"queue", 0},
    {"msg", kTellBatches},
    {"protocol", kTellRequests},
    {"cgrp", kTellGroups | kTellRebalances | kTellTrouble},
    {"security", 0},
    {"fetch", kTellFetches},
    {"interceptor", 0},
    {"plugin", 0},
    {"consumer", kTellFetches | kTellRebalances | kTellTrouble},
    {"admin", kTellAdmin},
    {"eos", kTellProducerIds},
    {"mock", 0},
    {"assignor", kTellRebalances},
    {"conf", 0},
};

// What a request is told under, besides kTellRequests.
Subjects subject_of(std::string_view api) {
  if (api == "Metadata") return kTellMetadata;
  if (api == "Fetch" || api == "ListOffsets" || api == "OffsetForLeaderEpoch") return kTellFetches;
  if (api == "ApiVersions") return kTellVersions;
  if (api == "InitProducerId") return kTellProducerIds;
  if (api == "Produce") return 0;
  if (api == "ConsumerGroupDescribe") return kTellAdmin;
  for (const char* const verb : {"Create", "Delete", "Describe", "List"}) {
    if (api.starts_with(verb)) return kTellAdmin;
  }
  return kTellGroups;
}

std::string in_ms(Duration time) {
  char text[40];
  std::snprintf(text, sizeof(text), "%.2f ms",
                std::chrono::duration<double, std::milli>(time).count());
  return text;
}

std::string name_of(const kafka::Observer::Connection& connection) {
  const std::string node =
      connection.node_id < 0 ? "bootstrap" : "broker " + std::to_string(connection.node_id);
  return node + " at " + connection.endpoint.host + ":" + std::to_string(connection.endpoint.port) +
         " (" + kafka::to_string(connection.role) + ")";
}

std::string name_of(const kafka::Observer::Batch& batch) {
  return std::to_string(batch.records) + (batch.records == 1 ? " record" : " records") + " for " +
         std::string(batch.topic) + " [" + std::to_string(batch.partition) + "]";
}

std::string sizes_of(const kafka::Observer::Batch& batch) {
  const std::string sent = std::to_string(batch.bytes) + " bytes";
  if (batch.bytes == batch.uncompressed_bytes) return sent;
  return sent + " out of " + std::to_string(batch.uncompressed_bytes);
}

// Null: nothing beyond what the failure says itself.
const char* advice_for(Stage stage, const std::error_code& error) {
  if (error == tls::Errc::certificate_refused) {
    return "; -X ssl.ca.location=FILE says whom to trust, and -b has to be a name that the "
           "certificate is for";
  }
  if (error == tls::Errc::alert) {
    return "; the broker may want to know who you are: -X ssl.certificate.location=FILE and "
           "-X ssl.key.location=FILE";
  }
  // An older broker just ends what it does not understand.
  const bool ended =
      (stage == Stage::protocol || stage == Stage::tls) &&
      (error == std::errc::connection_aborted || error == std::errc::connection_reset);
  if (ended || error == ClientErrc::not_the_protocol) {
    return "; -X security.protocol=ssl is for listeners with TLS, and only for those; SASL is not "
           "supported yet";
  }
  return nullptr;
}

void tell(const char* subject, const std::string& text) {
  note("[" + std::string(subject) + "] " + text);
}

}  // namespace

Subjects subjects_of(std::string_view contexts, std::string& unknown) {
  Subjects subjects = 0;
  while (!contexts.empty()) {
    const std::size_t comma = std::min(contexts.find(','), contexts.size());
    const std::string_view name = contexts.substr(0, comma);
    contexts.remove_prefix(std::min(comma + 1, contexts.size()));
    const Context* found = nullptr;
    std::string known;
    for (const Context& each : kContexts) {
      if (each.name == name) found = &each;
      if (each.subjects != 0) known += (known.empty() ? "" : ", ") + std::string(each.name);
    }
    if (!found) {
      throw UsageError("-d: there is no \"" + std::string(name) + "\"; there are " + known);
    }
    if (found->subjects == 0) unknown += (unknown.empty() ? "" : ", ") + std::string(name);
    subjects |= found->subjects;
  }
  return subjects;
}

Subjects subjects_of(int verbosity) {
  Subjects subjects = 0;
  if (verbosity > 0) subjects |= kTellRetries;
  if (verbosity > 1) subjects |= kTellConnections | kTellRebalances | kTellTrouble;
  if (verbosity > 2) subjects |= kTellBatches;
  if (verbosity > 3) subjects |= kTellRequests;
  return subjects;
}

void Watcher::on_connected(const Connection& connection) {
  connected_ = true;
  advice_ = nullptr;
  if (tells(kTellConnections)) tell("broker", "connected to " + name_of(connection));
}

void Watcher::on_disconnected(const Connection& connection, Stage stage, const Failure& failure) {
  const bool by_us = !failure || failure.code == Condition::closed;
  // Where a broker was spoken with, the settings are right.
  const char* const advice = connected_ || by_us ? nullptr : advice_for(stage, failure.code);
  if (!by_us) advice_ = advice;
  if (tells(kTellConnections)) {
    tell("broker", by_us ? "closed the connection to " + name_of(connection)
                         : "lost or could not reach " + name_of(connection) + ", " +
                               to_string(stage) + ": " + failure.message());
    return;
  }
  if (by_us || !tells(kTellRetries)) return;
  std::string text = failure.message() + (advice ? advice : "");
  if (text == last_) return;
  note(text + " (trying again)");
  last_ = std::move(text);
}

void Watcher::on_response(const Request& request) {
  if (!tells(kTellRequests) && !tells(subject_of(request.api))) return;
  tell("protocol", std::string(request.api) + " v" + std::to_string(request.version) + " to " +
                       name_of(request.connection) + ": " + std::to_string(request.request_bytes) +
                       " bytes, answered with " + std::to_string(request.response_bytes) +
                       " after " + in_ms(request.latency));
}

void Watcher::on_throttled(const Connection& connection, Duration time) {
  if (tells(kTellConnections)) {
    tell("broker", name_of(connection) + " wants to be left alone for " + in_ms(time));
  }
}

void Watcher::on_batch_delivered(const Batch& batch) {
  if (!tells(kTellBatches)) return;
  const std::string tries =
      batch.attempts > 1 ? ", try " + std::to_string(batch.attempts) : std::string();
  tell("msg", "delivered " + name_of(batch) + ": " + sizes_of(batch) + tries);
}

void Watcher::on_batch_retried(const Batch& batch, const Failure& failure) {
  if (!tells(kTellBatches | kTellTrouble)) return;
  tell("msg", "sending again " + name_of(batch) + ": " + failure.message());
}

void Watcher::on_batch_failed(const Batch& batch, const Failure& failure) {
  if (tells(kTellBatches)) tell("msg", "gave up " + name_of(batch) + ": " + failure.message());
}

void Watcher::on_rebalance(const Rebalance& rebalance) {
  member_id_ = rebalance.member_id;
  if (!tells(kTellRebalances)) return;
  tell("cgrp", "group " + std::string(rebalance.group) + ", generation " +
                   std::to_string(rebalance.generation) + ": " +
                   std::to_string(rebalance.partitions) + " here, " +
                   std::to_string(rebalance.added) + " new, " + std::to_string(rebalance.taken) +
                   " gone");
}

void Watcher::on_trouble(std::string_view what, const Failure& failure) {
  if (tells(kTellTrouble)) tell(std::string(what).c_str(), failure.message());
}

}  // namespace tern::cli

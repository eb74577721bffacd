#include "client/kafka/coordinators.h"

#include "client/kafka/engine.h"

namespace tern::kafka {
namespace {

// From here on one request asks for any number of coordinators (KIP-699).
constexpr std::int16_t kFirstBatched = 4;

std::string name_of(const std::pair<Coordinators::Kind, std::string>& key) {
  const char* what = key.first == Coordinators::Kind::group ? "group" : "transactional id";
  return std::string("the coordinator of ") + what + " \"" + key.second + "\"";
}

}  // namespace

Coordinators::Coordinators(Engine& engine)
    : engine_(engine), timer_(Timer::calling<&Coordinators::on_timer>(engine.timers(), this)) {}

std::int32_t Coordinators::find(Kind kind, const std::string& key, Now now) {
  const ClientConfig& config = engine_.config();
  const auto [at, is_new] =
      entries_.try_emplace(Key(kind, key), Backoff(config.retry_backoff, config.retry_backoff_max));
  Entry& entry = at->second;
  if (entry.node_id >= 0 || entry.asking) return entry.node_id;
  if (now.mono >= entry.not_before) {
    ask(at->first, entry);
  } else if (entry.not_before < timer_.when()) {
    timer_.set(entry.not_before);
  }
  return -1;
}

void Coordinators::lost(Kind kind, const std::string& key, std::int32_t node_id) {
  const auto found = entries_.find(Key(kind, key));
  if (found != entries_.end() && found->second.node_id == node_id) found->second.node_id = -1;
  engine_.wake();
}

Failure Coordinators::trouble(Kind kind, const std::string& key) const {
  const auto found = entries_.find(Key(kind, key));
  return found == entries_.end() ? Failure() : found->second.trouble;
}

void Coordinators::forget_trouble(Kind kind, const std::string& key) {
  const auto found = entries_.find(Key(kind, key));
  if (found != entries_.end()) found->second.trouble = {};
}

void Coordinators::ask(const Key& key, Entry& entry) {
  entry.asking = true;
  auto make = [key](std::int16_t version, wire::Arena& arena) {
    FindCoordinatorRequest request;
    request.key_type = static_cast<std::int8_t>(key.first);
    if (version < kFirstBatched) {
      request.key = wire::Text(key.second);
    } else if (auto* keys = arena.make_array<wire::Text>(1)) {
      keys[0] = wire::Text(key.second);
      request.coordinator_keys = {keys, 1};
    }
    return request;
  };
  // The engine's connections, which hold this, go before the cluster does, which owns us.
  auto done = [this, key](const Failure& why, const FindCoordinatorResponse* reply,
                          std::int16_t version,
                          Now now) { on_reply(key, why, reply, version, now); };
  engine_.cluster().any_connection().send(
      *new SimpleCall<FindCoordinatorRequest>(std::move(make), std::move(done)));
}

void Coordinators::on_reply(const Key& key, const Failure& why,
                            const FindCoordinatorResponse* reply, std::int16_t version, Now now) {
  Entry& entry = entries_.at(key);
  entry.asking = false;
  if (engine_.is_closed()) return;
  FindCoordinatorResponse::Coordinator found;
  if (reply && version < kFirstBatched) {
    found.node_id = reply->node_id;
    found.host = reply->host;
    found.port = reply->port;
    found.error_code = reply->error_code;
    found.error_message = reply->error_message;
  } else if (reply && !reply->coordinators.empty()) {
    found = reply->coordinators[0];
  } else {
    found.error_code = static_cast<std::int16_t>(BrokerErrc::unknown_server_error);
  }
  Failure failure = why;
  if (!failure && found.error_code != 0) {
    const std::error_code code = make_error_code(static_cast<BrokerErrc>(found.error_code));
    failure = Failure(
        code, name_of(key) + ": " +
                  (found.error_message.empty() ? code.message() : found.error_message.str()));
  }
  if (!failure && (found.node_id < 0 || found.port <= 0 || found.port > 0xffff)) {
    failure = Failure(make_error_code(ClientErrc::protocol_violation),
                      name_of(key) + ": the answer names no broker");
  }
  entry.trouble = failure;
  // Also after success: a broker that is named again and again and then refuses must not be asked
  // without end.
  entry.not_before = deadline_after(now.mono, entry.backoff.next(engine_.random()));
  if (failure) {
    engine_.tell_trouble("coordinator", failure);
  } else {
    entry.node_id = found.node_id;
    entry.backoff.reset();
    engine_.cluster().on_broker_hint(
        found.node_id, Endpoint{found.host.str(), static_cast<std::uint16_t>(found.port)}, now);
  }
  engine_.wake();
}

// ----------------------------------------------------------------------------------- of one group

GroupCoordinator::GroupCoordinator(Engine& engine, std::string group)
    : engine_(engine), group_(std::move(group)) {}

std::int32_t GroupCoordinator::find(Now now) {
  return engine_.cluster().coordinators().find(Coordinators::Kind::group, group_, now);
}

void GroupCoordinator::lost(std::int32_t node_id) {
  engine_.cluster().coordinators().lost(Coordinators::Kind::group, group_, node_id);
}

Failure GroupCoordinator::trouble() const {
  return engine_.cluster().coordinators().trouble(Coordinators::Kind::group, group_);
}

void GroupCoordinator::forget_trouble() {
  engine_.cluster().coordinators().forget_trouble(Coordinators::Kind::group, group_);
}

Connection* GroupCoordinator::connection(Now now) {
  const std::int32_t node = find(now);
  return node < 0 ? nullptr : engine_.cluster().connection(node, Role::coordinator);
}

Failure GroupCoordinator::hopeless() const {
  const Failure why = trouble();
  const bool never = why.code == BrokerErrc::group_authorization_failed ||
                     why.code == BrokerErrc::invalid_group_id ||
                     why.code == ClientErrc::unsupported_version;
  return never ? why : Failure();
}

}  // namespace tern::kafka

#include "client/kafka/properties.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <charconv>
#include <cstdint>
#include <limits>
#include <utility>

#include "client/kafka/assignors.h"
#include "client/kafka/endpoint.h"

namespace tern::kafka {
namespace {

// --- values -------------------------------------------------------------------------------------

// What is wrong with a value: `wants` says what it may be, and is empty when all is well.
struct Verdict {
  std::string wants;
  ClientErrc code = ClientErrc::invalid_config;
};
using Apply = Verdict (*)(std::string_view value, Configs& configs);

constexpr std::int64_t kMaxInt32 = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kMaxMs = std::numeric_limits<std::int64_t>::max() / 1'000'000;
constexpr std::size_t kMaxText = 0x7fff;  // a string of the protocol

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\f\r\n";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

ClientConfig& part_of(Configs& configs, const ClientConfig*) { return configs.client; }
ProducerConfig& part_of(Configs& configs, const ProducerConfig*) { return configs.producer; }
ConsumerConfig& part_of(Configs& configs, const ConsumerConfig*) { return configs.consumer; }
TlsOptions& part_of(Configs& configs, const TlsOptions*) { return configs.tls_options; }

template <class Part, class Field>
Field& field_of(Configs& configs, Field Part::* member) {
  return part_of(configs, static_cast<const Part*>(nullptr)).*member;
}

bool read_number(std::string_view text, std::int64_t least, std::int64_t most, std::int64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && out >= least && out <= most;
}

std::string range(const char* what, std::int64_t least, std::int64_t most) {
  return std::string(what) + " from " + std::to_string(least) + " to " + std::to_string(most);
}

template <auto Member, std::int64_t Least, std::int64_t Most = kMaxInt32>
Verdict milliseconds(std::string_view value, Configs& configs) {
  std::int64_t number = 0;
  if (!read_number(value, Least, Most, number)) {
    return {range("a whole number of milliseconds", Least, Most)};
  }
  field_of(configs, Member) = std::chrono::milliseconds(number);
  return {};
}

// `Unit` is 1024 for the settings that count in KiB.
template <auto Member, std::int64_t Least, std::int64_t Most = kMaxInt32, std::int64_t Unit = 1>
Verdict count(std::string_view value, Configs& configs) {
  std::int64_t number = 0;
  if (!read_number(value, Least, Most, number)) {
    return {range("a whole number", Least, Most)};
  }
  auto& field = field_of(configs, Member);
  field = static_cast<std::remove_reference_t<decltype(field)>>(number * Unit);
  return {};
}

template <auto Member>
Verdict truth(std::string_view value, Configs& configs) {
  const bool yes = same_word(value, "true") || value == "1";
  if (!yes && !same_word(value, "false") && value != "0") return {"true or false"};
  field_of(configs, Member) = yes;
  return {};
}

template <auto Member>
Verdict text(std::string_view value, Configs& configs) {
  if (value.size() > kMaxText) return {"a text of at most 32767 bytes"};
  field_of(configs, Member) = std::string(value);
  return {};
}

template <auto Member, class Value>
Verdict one_of(std::string_view value, Configs& configs,
               std::initializer_list<std::pair<std::string_view, Value>> words, const char* wants) {
  for (const auto& [word, meaning] : words) {
    if (!same_word(value, word)) continue;
    field_of(configs, Member) = meaning;
    return {};
  }
  return {wants};
}

Verdict servers(std::string_view value, Configs& configs) {
  const Verdict wrong{"a list of servers, host:port,host:port (port 1 to 65535)"};
  std::vector<std::string> found;
  while (!value.empty()) {
    const std::size_t comma = std::min(value.find(','), value.size());
    const std::string_view each = trim(value.substr(0, comma));
    value.remove_prefix(std::min(comma + 1, value.size()));
    if (each.empty()) continue;
    Endpoint endpoint;
    if (!parse_endpoint(each, endpoint)) return wrong;
    found.emplace_back(each);
  }
  if (found.empty()) return wrong;
  configs.client.bootstrap = std::move(found);
  return {};
}

Verdict acks(std::string_view value, Configs& configs) {
  return one_of<&ProducerConfig::acks, Acks>(
      value, configs,
      {{"all", Acks::all}, {"-1", Acks::all}, {"1", Acks::leader}, {"0", Acks::none}},
      "all (or -1), 1 or 0");
}

Verdict no_codec(const Configs& configs) {
  std::string wants = "built into this program; there is none";
  for (const auto& codec : configs.client.codecs) {
    if (codec) wants += std::string(", ") + name(codec->id());
  }
  return {wants, ClientErrc::codec_missing};
}

Verdict compression(std::string_view value, Configs& configs) {
  for (int id = 0; id < kCompressionTypes; ++id) {
    const auto wanted = static_cast<Compression>(id);
    if (!same_word(value, name(wanted))) continue;
    if (wanted != Compression::none && !find_codec(configs.client.codecs, wanted)) {
      return no_codec(configs);
    }
    configs.producer.compression = wanted;
    return {};
  }
  return {"none, gzip, snappy, lz4 or zstd"};
}

// Puts the codec at another level in its place.
Verdict set_level(Compression id, std::int64_t level, Configs& configs) {
  for (auto& codec : configs.client.codecs) {
    if (!codec || codec->id() != id) continue;
    std::shared_ptr<const Codec> changed = codec->at_level(static_cast<int>(level));
    if (!changed) return {};  // it has no levels
    if (const char* problem = changed->problem()) return {std::string("possible: ") + problem};
    codec = std::move(changed);
    return {};
  }
  return {std::string("of use here: ClientConfig::codecs holds no ") + name(id),
          ClientErrc::codec_missing};
}

template <Compression Id>
Verdict level_of(std::string_view value, Configs& configs) {
  std::int64_t level = 0;
  if (!read_number(value, -kMaxInt32, kMaxInt32, level)) return {"a whole number"};
  return set_level(Id, level, configs);
}

constexpr std::string_view kAnyLevel = "compression.level";
constexpr std::int64_t kOwnChoice = -1;

// librdkafka's: of the codec that is chosen. Which one that is, is known when all settings are
// read; then it is read again.
Verdict any_level(std::string_view value, Configs&) {
  std::int64_t level = 0;
  if (read_number(value, kOwnChoice, 22, level)) return {};
  return {"a level of the codec that is chosen, or -1 for the codec's own choice"};
}

Verdict level_of_chosen(std::string_view value, Configs& configs) {
  std::int64_t level = kOwnChoice;
  static_cast<void>(read_number(value, kOwnChoice, 22, level));
  const Compression chosen = configs.producer.compression;
  if (chosen == Compression::none || level == kOwnChoice) return {};
  return set_level(chosen, level, configs);
}

Verdict batch_size(std::string_view value, Configs& configs) {
  const Verdict verdict = count<&ProducerConfig::batch_bytes, 0, kMaxInt32 / 2>(value, configs);
  // Java's 0: no batches.
  configs.producer.batch_bytes = std::max<std::size_t>(configs.producer.batch_bytes, 1);
  return verdict;
}

Verdict partitioner(std::string_view value, Configs& configs) {
  constexpr std::string_view kPackage = "org.apache.kafka.clients.producer.";
  if (value.starts_with(kPackage)) value.remove_prefix(kPackage.size());
  const Verdict verdict = one_of<&ProducerConfig::partitioning, Partitioning>(
      value, configs,
      {{"murmur2_random", Partitioning::java},
       {"random", Partitioning::random},
       {"round_robin", Partitioning::round_robin},
       {"RoundRobinPartitioner", Partitioning::round_robin}},
      "murmur2_random (what the Java client does, and the default), random or "
      "RoundRobinPartitioner; others are a function in ProducerConfig::partitioner");
  if (verdict.wants.empty()) configs.producer.partitioner = nullptr;
  return verdict;
}

// ISO 8601, as java.time.Duration reads it: P2DT3H4M5S, in this order, whole numbers. -1: it is
// not.
std::int64_t iso_seconds(std::string_view text) {
  constexpr std::pair<char, std::int64_t> kUnits[] = {
      {'d', 86'400}, {'t', 0}, {'h', 3600}, {'m', 60}, {'s', 1}};
  constexpr std::int64_t kMost = 1'000'000'000;  // of each: no sum of them is too large
  if (text.empty() || lower(text.front()) != 'p') return -1;
  text.remove_prefix(1);
  std::int64_t seconds = -1;
  const auto* unit = std::begin(kUnits);
  bool after_t = false;
  while (!text.empty()) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits == text.size()) return -1;
    const char letter = lower(text[digits]);
    while (unit != std::end(kUnits) && unit->first != letter) ++unit;
    if (unit == std::end(kUnits) || (letter == 't') != (digits == 0)) return -1;
    if (letter != 't' && letter != 'd' && !after_t) return -1;
    std::int64_t count = 0;
    if (letter != 't' && !read_number(text.substr(0, digits), 0, kMost, count)) return -1;
    if (letter != 't') seconds = std::max<std::int64_t>(seconds, 0) + count * unit->second;
    after_t = after_t || letter == 't';
    ++unit;
    text.remove_prefix(digits + 1);
  }
  return seconds;
}

Verdict offset_reset(std::string_view value, Configs& configs) {
  constexpr std::string_view kAge = "by_duration:";
  if (value.starts_with(kAge)) {
    const std::int64_t age = iso_seconds(value.substr(kAge.size()));
    if (age <= 0 || age > kMaxMs / 1000) {
      return {"by_duration: and a duration in whole seconds, as PT36H or P1DT12H"};
    }
    configs.consumer.offset_reset = OffsetReset::age;
    configs.consumer.offset_reset_age = std::chrono::seconds(age);
    return {};
  }
  return one_of<&ConsumerConfig::offset_reset, OffsetReset>(
      value, configs,
      {{"earliest", OffsetReset::earliest},
       {"beginning", OffsetReset::earliest},
       {"smallest", OffsetReset::earliest},
       {"latest", OffsetReset::latest},
       {"end", OffsetReset::latest},
       {"largest", OffsetReset::latest},
       {"none", OffsetReset::none},
       {"error", OffsetReset::none}},
      "earliest, latest, none or by_duration:PT1H");
}

Verdict assignors(std::string_view value, Configs& configs) {
  constexpr std::string_view kPackage = "org.apache.kafka.clients.consumer.";
  constexpr std::pair<std::string_view, std::string_view> kClasses[] = {
      {"RangeAssignor", "range"},
      {"RoundRobinAssignor", "roundrobin"},
      {"StickyAssignor", "sticky"},
      {"CooperativeStickyAssignor", "cooperative-sticky"},
  };
  const Verdict wrong{
      "a list of range, roundrobin, sticky and cooperative-sticky, each once (or Java's names of "
      "these classes); others are objects in ConsumerConfig::own_assignors"};
  std::vector<std::string> found;
  while (!value.empty()) {
    const std::size_t comma = std::min(value.find(','), value.size());
    std::string_view each = trim(value.substr(0, comma));
    value.remove_prefix(std::min(comma + 1, value.size()));
    if (each.empty()) continue;
    if (each.starts_with(kPackage)) each.remove_prefix(kPackage.size());
    for (const auto& [java, name] : kClasses) {
      if (each == java) each = name;
    }
    if (!built_in_assignor(each)) return wrong;
    if (std::find(found.begin(), found.end(), each) != found.end()) return wrong;
    found.emplace_back(each);
  }
  if (found.empty()) return wrong;
  configs.consumer.assignors = std::move(found);
  return {};
}

Verdict group_protocol(std::string_view value, Configs& configs) {
  return one_of<&ConsumerConfig::group_protocol, GroupProtocol>(
      value, configs,
      {{"classic", GroupProtocol::classic},
       {"consumer", GroupProtocol::consumer},
       {"auto", GroupProtocol::automatic}},
      "classic, consumer or auto");
}

Verdict isolation(std::string_view value, Configs& configs) {
  return one_of<&ConsumerConfig::isolation, Isolation>(
      value, configs,
      {{"read_uncommitted", Isolation::read_uncommitted},
       {"read_committed", Isolation::read_committed}},
      "read_uncommitted or read_committed");
}

constexpr const char* kNoSasl = "SASL is not supported by tern yet";

Verdict security_protocol(std::string_view value, Configs& configs) {
  const bool tls = same_word(value, "ssl");
  if (!tls && !same_word(value, "plaintext")) {
    return {std::string("plaintext or ssl; ") + kNoSasl};
  }
  if (tls && configs.make_tls == nullptr) {
    return {
        "possible without Configs::make_tls: set that to tls::openssl, of the target "
        "//client/tls:openssl"};
  }
  configs.tls = tls;
  return {};
}

// The name of a file, or PEM; one takes the place of the other.
template <auto Member, auto Other>
Verdict pem(std::string_view value, Configs& configs) {
  field_of(configs, Member) = std::string(value);
  if (!value.empty()) field_of(configs, Other).clear();
  return {};
}

Verdict name_check(std::string_view value, Configs& configs) {
  const bool https = same_word(value, "https");
  if (!https && !value.empty() && !same_word(value, "none")) {
    return {"https, or none (or empty) for any name in a certificate that is trusted"};
  }
  configs.tls_options.check_name = https;
  return {};
}

// --- names --------------------------------------------------------------------------------------

struct Setting {
  std::string_view name;
  Apply apply;
};

using C = ClientConfig;
using P = ProducerConfig;
using R = ConsumerConfig;
using T = TlsOptions;

// Bounds are those of check(). Synonyms follow the Java client's name.
constexpr Setting kSettings[] = {
    {"bootstrap.servers", servers},
    {"metadata.broker.list", servers},
    {"client.id", text<&C::client_id>},
    {"socket.connection.setup.timeout.ms", milliseconds<&C::connect_timeout, 1>},
    {"request.timeout.ms", milliseconds<&C::request_timeout, 1>},
    {"socket.timeout.ms", milliseconds<&C::request_timeout, 1>},
    {"default.api.timeout.ms", milliseconds<&C::operation_timeout, 1>},
    {"reconnect.backoff.ms", milliseconds<&C::reconnect_backoff, 0>},
    {"reconnect.backoff.max.ms", milliseconds<&C::reconnect_backoff_max, 0>},
    {"retry.backoff.ms", milliseconds<&C::retry_backoff, 1>},
    {"retry.backoff.max.ms", milliseconds<&C::retry_backoff_max, 1>},
    {"metadata.max.age.ms", milliseconds<&C::metadata_max_age, 1, kMaxMs>},
    {"topic.metadata.refresh.interval.ms", milliseconds<&C::metadata_max_age, 1, kMaxMs>},
    {"connections.max.idle.ms", milliseconds<&C::connections_max_idle, 1, kMaxMs>},
    {"receive.message.max.bytes", count<&C::max_response_bytes, 1024>},
    {"allow.auto.create.topics", truth<&C::allow_auto_create_topics>},

    {"security.protocol", security_protocol},
    {"ssl.ca.location", pem<&T::ca_file, &T::ca_pem>},
    {"ssl.ca.pem", pem<&T::ca_pem, &T::ca_file>},
    {"ssl.certificate.location", pem<&T::certificate_file, &T::certificate_pem>},
    {"ssl.certificate.pem", pem<&T::certificate_pem, &T::certificate_file>},
    {"ssl.key.location", pem<&T::key_file, &T::key_pem>},
    {"ssl.key.pem", pem<&T::key_pem, &T::key_file>},
    {"ssl.key.password", text<&T::key_password>},
    {"enable.ssl.certificate.verification", truth<&T::verify_peer>},
    {"ssl.endpoint.identification.algorithm", name_check},

    {"acks", acks},
    {"request.required.acks", acks},
    {"enable.idempotence", truth<&P::idempotence>},
    {"max.in.flight.requests.per.connection", count<&P::max_in_flight, 1, 1000>},
    {"max.in.flight", count<&P::max_in_flight, 1, 1000>},
    {"linger.ms", milliseconds<&P::linger, 0>},
    {"queue.buffering.max.ms", milliseconds<&P::linger, 0>},
    {"batch.size", batch_size},
    {"max.request.size", count<&P::max_request_bytes, 1>},
    {"message.max.bytes", count<&P::max_request_bytes, 1>},
    {"buffer.memory", count<&P::buffer_bytes, 131'072, std::int64_t{1} << 40>},
    {"queue.buffering.max.kbytes", count<&P::buffer_bytes, 128, kMaxInt32, 1024>},
    {"delivery.timeout.ms", milliseconds<&P::delivery_timeout, 1>},
    {"message.timeout.ms", milliseconds<&P::delivery_timeout, 1>},
    {"max.block.ms", milliseconds<&P::metadata_timeout, 1>},
    {"compression.type", compression},
    {"compression.codec", compression},
    {"compression.gzip.level", level_of<Compression::gzip>},
    {"compression.lz4.level", level_of<Compression::lz4>},
    {"compression.zstd.level", level_of<Compression::zstd>},
    {"compression.level", any_level},
    {"partitioner.class", partitioner},
    {"partitioner", partitioner},

    {"auto.offset.reset", offset_reset},
    {"isolation.level", isolation},
    {"fetch.min.bytes", count<&R::fetch_min_bytes, 0>},
    {"fetch.max.bytes", count<&R::fetch_max_bytes, 1>},
    {"max.partition.fetch.bytes", count<&R::partition_max_bytes, 1>},
    {"fetch.message.max.bytes", count<&R::partition_max_bytes, 1>},
    {"fetch.max.wait.ms", milliseconds<&R::fetch_max_wait, 0>},
    {"fetch.wait.max.ms", milliseconds<&R::fetch_max_wait, 0>},
    {"max.poll.records", count<&R::max_poll_records, 1>},
    {"queued.max.messages.kbytes", count<&R::prefetch_bytes, 1, kMaxInt32, 1024>},
    {"group.id", text<&R::group>},
    {"group.instance.id", text<&R::instance_id>},
    {"group.protocol", group_protocol},
    {"group.remote.assignor", text<&R::server_assignor>},
    {"session.timeout.ms", milliseconds<&R::session_timeout, 1>},
    {"heartbeat.interval.ms", milliseconds<&R::heartbeat_interval, 1>},
    {"max.poll.interval.ms", milliseconds<&R::max_poll_interval, 1>},
    {"partition.assignment.strategy", assignors},
    {"enable.auto.commit", truth<&R::auto_commit>},
    {"auto.commit.enable", truth<&R::auto_commit>},
    {"auto.commit.interval.ms", milliseconds<&R::auto_commit_interval, 1>},
    {"enable.auto.offset.store", truth<&R::auto_store>},
    {"check.crcs", truth<&R::check_crcs>},
    {"client.rack", text<&R::rack>},
};
constexpr std::size_t kSettingCount = std::size(kSettings);

constexpr const char* kPemOnly =
    "tern reads PEM: ssl.ca.location says whom to trust, ssl.certificate.location and "
    "ssl.key.location who one is; set those instead";
constexpr const char* kLibrarysTls =
    "tern speaks TLS 1.2 and 1.3 with what its library takes by default; leave it out";
constexpr const char* kNoShareGroups = "share groups are not supported by tern yet";
constexpr const char* kNoTransactions = "transactions are not supported by tern yet";
constexpr const char* kBytesOnly = "tern takes and gives bytes as they are; leave it out";
constexpr const char* kNoMetrics =
    "tern has no metrics of its own, an Observer sees what happens; leave it out";
constexpr const char* kTriesByTime =
    "tern tries again until delivery.timeout.ms is over; set that instead";
constexpr const char* kNotHere = "known to Kafka, but not a setting of tern; leave it out";

// What Kafka's clients know and tern does not do.
struct Unsupported {
  std::string_view name;  // with a dot at its end: all that begin so
  const char* why;
  std::string_view harmless = {};  // the value that tells tern to do what it does anyway
};
constexpr Unsupported kUnsupported[] = {
    {"security.providers", kLibrarysTls},
    {"sasl.", kNoSasl},
    {"ssl.keystore.", kPemOnly},
    {"ssl.truststore.", kPemOnly},
    {"ssl.", kLibrarysTls},
    {"enable.sasl.oauthbearer.unsecure.jwt", kNoSasl},
    {"group.protocol.type", kNotHere, "consumer"},
    {"group.", kNotHere},
    {"rebalance.timeout.ms", "members of tern have max.poll.interval.ms for it; set that instead"},
    {"coordinator.query.interval.ms", "tern waits by retry.backoff.ms; set that instead"},
    {"offset.store.", "tern stores offsets in the group; leave it out"},
    {"share.", kNoShareGroups},
    {"transactional.id", kNoTransactions},
    {"transaction.", kNoTransactions},
    {"key.serializer", kBytesOnly, "org.apache.kafka.common.serialization.ByteArraySerializer"},
    {"value.serializer", kBytesOnly, "org.apache.kafka.common.serialization.ByteArraySerializer"},
    {"key.deserializer", kBytesOnly, "org.apache.kafka.common.serialization.ByteArrayDeserializer"},
    {"value.deserializer", kBytesOnly,
     "org.apache.kafka.common.serialization.ByteArrayDeserializer"},
    {"retries", kTriesByTime, "2147483647"},
    {"message.send.max.retries", kTriesByTime, "2147483647"},
    {"metric.", kNoMetrics},
    {"metrics.", kNoMetrics},
    {"enable.metrics.push", kNoMetrics, "false"},
    {"statistics.interval.ms", kNoMetrics, "0"},
    {"api.version.", "tern asks every broker for its versions by itself; leave it out"},
    {"broker.version.fallback", "tern asks every broker for its versions by itself; leave it out"},
    {"batch.num.messages", "tern bounds batches by batch.size, in bytes; set that instead"},
    {"queue.buffering.max.messages", "tern bounds its buffer by buffer.memory; set that instead"},
    {"queued.min.messages", "tern bounds what it fetches by queued.max.messages.kbytes"},
    {"socket.send.buffer.bytes", "tern leaves socket buffers to the system; leave it out"},
    {"socket.receive.buffer.bytes", "tern leaves socket buffers to the system; leave it out"},
    {"send.buffer.bytes", "tern leaves socket buffers to the system; leave it out"},
    {"receive.buffer.bytes", "tern leaves socket buffers to the system; leave it out"},
    {"bootstrap.controllers", kNotHere},
    {"bootstrap.resolve.timeout.ms", kNotHere},
    {"broker.address.family", kNotHere, "any"},
    {"broker.address.ttl", kNotHere},
    {"buffer.memory.allocation.strategy", kNotHere},
    {"builtin.features", kNotHere},
    {"client.dns.lookup", kNotHere, "use_all_dns_ips"},
    {"config.providers", kNotHere},
    {"debug", kNotHere},
    {"delivery.report.only.error", kNotHere},
    {"enable.gapless.guarantee", kNotHere, "false"},
    {"enable.partition.eof", kNotHere},
    {"enable.random.seed", kNotHere},
    {"exclude.internal.topics", kNotHere},
    {"fetch.error.backoff.ms", "tern waits by retry.backoff.ms; set that instead"},
    {"interceptor.classes", kNotHere},
    {"log.", kNotHere},
    {"log_level", kNotHere},
    {"message.copy.max.bytes", kNotHere},
    {"metadata.cluster.check.enable", kNotHere},
    {"metadata.max.idle.ms", kNotHere},
    {"metadata.recovery.", kNotHere},
    {"partitioner.", kNotHere},
    {"plugin.library.paths", kNotHere},
    {"queue.buffering.backpressure.threshold", kNotHere},
    {"queuing.strategy", kNotHere},
    {"reconnect.backoff.jitter.ms", "tern waits by reconnect.backoff.ms; set that instead"},
    {"socket.connection.setup.timeout.max.ms", kNotHere},
    {"socket.keepalive.enable", kNotHere},
    {"socket.max.fails", kNotHere},
    {"socket.nagle.disable", kNotHere, "true"},
    {"sticky.partitioning.linger.ms", kNotHere},
    {"topic.blacklist", kNotHere},
    {"topic.metadata.", kNotHere},
};

// Settings of a topic may be written with "topic." before them, as for kcat.
std::size_t find_setting(std::string_view name) {
  constexpr std::string_view kTopic = "topic.";
  const auto find = [](std::string_view wanted) {
    const auto* at = std::find_if(std::begin(kSettings), std::end(kSettings),
                                  [&](const Setting& each) { return each.name == wanted; });
    return static_cast<std::size_t>(at - kSettings);
  };
  const std::size_t found = find(name);
  if (found != kSettingCount || !name.starts_with(kTopic)) return found;
  return find(name.substr(kTopic.size()));
}

const Unsupported* find_unsupported(std::string_view name) {
  for (const Unsupported& each : kUnsupported) {
    if (each.name.ends_with('.') ? name.starts_with(each.name) : name == each.name) return &each;
  }
  return nullptr;
}

// How many letters have to be added, left out, changed or swapped with their neighbour.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  constexpr std::size_t kLongest = 64;
  a = a.substr(0, kLongest);
  b = b.substr(0, kLongest);
  std::array<std::array<std::size_t, kLongest + 1>, 3> rows{};
  for (std::size_t j = 0; j <= b.size(); ++j) rows[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto& row = rows[i % 3];
    const auto& above = rows[(i + 2) % 3];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], rows[(i + 1) % 3][j - 2] + 1);
      }
    }
  }
  return rows[a.size() % 3][b.size()];
}

std::string_view nearest_name(std::string_view name) {
  std::string_view nearest;
  std::size_t least = SIZE_MAX;
  for (const Setting& each : kSettings) {
    const auto [shorter, longer] = std::minmax({name.size(), each.name.size()});
    if (longer - shorter >= least) continue;  // so many letters at least
    const std::size_t distance = edit_distance(name, each.name);
    if (distance < least) nearest = each.name;
    least = std::min(distance, least);
  }
  return nearest;
}

// --- errors -------------------------------------------------------------------------------------

// What somebody gave, fit for one line of a terminal.
std::string quoted(std::string_view text) {
  constexpr std::size_t kShown = 80;
  std::string out = "\"";
  for (const char c : text.substr(0, kShown)) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  return out + (text.size() > kShown ? "...\"" : "\"");
}

Failure wrong(const Property& property, ClientErrc code, const std::string& what) {
  const std::string line =
      property.line > 0 ? "line " + std::to_string(property.line) + ": " : std::string();
  return Failure(make_error_code(code), line + what);
}

Failure wrong(const Property& property, const Verdict& verdict) {
  return wrong(property, verdict.code,
               property.name + ": " + quoted(trim(property.value)) + " is not " + verdict.wants);
}

// --- all of it ----------------------------------------------------------------------------------

class Given {
 public:
  void add(std::size_t setting) { given_.set(setting); }
  bool operator()(std::string_view name) const { return given_.test(find_setting(name)); }
  bool operator()(std::string_view name, std::string_view synonym) const {
    return (*this)(name) || (*this)(synonym);
  }

 private:
  std::bitset<kSettingCount> given_;
};

// What follows from what was given, as in the Java client.
void adjust(const Given& given, Configs& configs) {
  ProducerConfig& producer = configs.producer;
  if (!given("enable.idempotence")) {
    const bool fewer_acks = given("acks", "request.required.acks") && producer.acks != Acks::all;
    const bool more_in_flight = given("max.in.flight.requests.per.connection", "max.in.flight") &&
                                producer.max_in_flight > 5;
    if (fewer_acks || more_in_flight) producer.idempotence = false;
  }
  if (!given("batch.size")) {
    if (given("max.request.size", "message.max.bytes")) {
      producer.batch_bytes = std::min(producer.batch_bytes, producer.max_request_bytes);
    }
    if (given("buffer.memory", "queue.buffering.max.kbytes")) {
      producer.batch_bytes = std::min(producer.batch_bytes, producer.buffer_bytes / 4);
    }
  }
  ClientConfig& client = configs.client;
  if (configs.tls && configs.make_tls != nullptr) {
    client.stream = configs.make_tls(configs.tls_options);
  } else if (given("security.protocol")) {
    client.stream = nullptr;
  }
  if (given("reconnect.backoff.ms") && !given("reconnect.backoff.max.ms")) {
    client.reconnect_backoff_max = std::max(client.reconnect_backoff_max, client.reconnect_backoff);
  }
  if (given("retry.backoff.ms") && !given("retry.backoff.max.ms")) {
    client.retry_backoff_max = std::max(client.retry_backoff_max, client.retry_backoff);
  }
}

}  // namespace

Failure apply_properties(std::span<const Property> properties, Configs& out) {
  Configs configs = out;
  Given given;
  const Property* any_level_given = nullptr;
  for (const Property& property : properties) {
    const std::string_view value = trim(property.value);
    const std::size_t index = find_setting(property.name);
    if (index != kSettingCount) {
      const Verdict verdict = kSettings[index].apply(value, configs);
      if (!verdict.wants.empty()) return wrong(property, verdict);
      if (kSettings[index].name == kAnyLevel) any_level_given = &property;
      given.add(index);
    } else if (const Unsupported* unsupported = find_unsupported(property.name)) {
      if (unsupported->harmless.empty() || !same_word(value, unsupported->harmless)) {
        return wrong(property, ClientErrc::invalid_config,
                     quoted(property.name) + ": " + unsupported->why);
      }
    } else {
      return wrong(property, ClientErrc::invalid_config,
                   "there is no setting " + quoted(property.name) + "; the nearest is \"" +
                       std::string(nearest_name(property.name)) + "\"");
    }
  }
  if (any_level_given != nullptr) {
    const Verdict verdict = level_of_chosen(trim(any_level_given->value), configs);
    if (!verdict.wants.empty()) return wrong(*any_level_given, verdict);
  }
  adjust(given, configs);
  out = std::move(configs);
  return {};
}

std::vector<std::string_view> property_names() {
  std::vector<std::string_view> names;
  for (const Setting& each : kSettings) names.push_back(each.name);
  return names;
}

Failure parse_properties(std::string_view text, Configs& out) {
  std::vector<Property> properties;
  if (Failure failure = read_properties(text, properties)) return failure;
  return apply_properties(properties, out);
}

}  // namespace tern::kafka

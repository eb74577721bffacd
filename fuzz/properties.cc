// Settings from a .properties file: anything is read, or refused with a reason; the same each time,
// in memory that follows the input; what was read can be written and read again; and a failure
// changes nothing.

#include "client/kafka/properties.h"

#include <string>
#include <vector>

#include "fuzz/memory.h"
#include "fuzz/target.h"

namespace tern::kafka {
namespace {

using fuzz::require;

constexpr std::string_view kSecret = "Hunter#2/Hunter#2";

// All that is a value; codecs, observer and partitioner are not for files.
auto values(const Configs& c) {
  const ClientConfig& client = c.client;
  const ProducerConfig& p = c.producer;
  const ConsumerConfig& r = c.consumer;
  return std::make_tuple(
      std::make_tuple(client.bootstrap, client.client_id, client.connect_timeout,
                      client.request_timeout, client.reconnect_backoff,
                      client.reconnect_backoff_max, client.retry_backoff, client.retry_backoff_max,
                      client.metadata_max_age, client.connections_max_idle,
                      client.operation_timeout, client.max_response_bytes,
                      client.allow_auto_create_topics, client.seed),
      std::make_tuple(p.acks, p.idempotence, p.max_in_flight, p.linger, p.batch_bytes,
                      p.max_request_bytes, p.buffer_bytes, p.delivery_timeout, p.metadata_timeout,
                      p.compression, p.partitioning),
      std::make_tuple(r.offset_reset, r.isolation, r.fetch_min_bytes, r.fetch_max_bytes,
                      r.partition_max_bytes, r.fetch_max_wait, r.max_poll_records, r.prefetch_bytes,
                      r.max_decompressed_batch_bytes, r.check_crcs, r.rack),
      std::make_tuple(c.tls, c.tls_options));
}

// With TLS, but for the library.
Configs unset() {
  Configs configs;
  configs.make_tls = [](TlsOptions) { return std::shared_ptr<const StreamFactory>(); };
  return configs;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\f':
        out += "\\f";
        break;
      case ' ':
      case '=':
      case ':':
      case '#':
      case '!':
      case '\\':
        out += '\\';
        [[fallthrough]];
      default:
        out += c;
    }
  }
  return out;
}

void write_and_read_again(const std::vector<Property>& properties) {
  std::string text;
  for (const Property& each : properties) {
    text += escaped(each.name) + " = " + escaped(each.value) + "\n";
  }
  std::vector<Property> again;
  const Failure failure = read_properties(text, again);
  require(!failure, "what was written is read");
  require(again.size() == properties.size(), "as many settings");
  for (std::size_t i = 0; i < again.size(); ++i) {
    require(again[i].name == properties[i].name, "a name comes back");
    require(again[i].value == properties[i].value, "a value comes back");
    require(again[i].line == static_cast<int>(i) + 1, "a setting has its line");
  }
}

// In front, so that it is not something else that is refused first.
void keep_secrets(std::vector<Property> properties) {
  constexpr const char* kNames[] = {"sasl.password", "ssl.key.password", "ssl.keystore.password",
                                    "ssl.key.pem"};
  properties.insert(properties.begin(),
                    {kNames[properties.size() % std::size(kNames)], std::string(kSecret), 0});
  Configs configs = unset();
  const Failure failure = apply_properties(properties, configs);
  require(failure.message().find(kSecret) == std::string::npos, "secrets are not repeated");
}

void run(std::string_view text) {
  constexpr std::size_t kFixed = std::size_t{64} * 1024;
  constexpr std::size_t kPerByte = 160;  // a setting of three bytes is two strings and a number
  std::vector<Property> properties;
  Failure failure;
  Configs configs = unset();
  const fuzz::MemoryScope memory;
  failure = read_properties(text, properties);
  if (!failure) failure = apply_properties(properties, configs);
  require(memory.peak() <= kFixed + kPerByte * text.size(), "memory follows the input");

  Configs same = unset();
  const Failure again = parse_properties(text, same);
  require(again.code == failure.code && again.message() == failure.message(), "the same each time");
  require(values(same) == values(failure ? Configs() : configs), "a failure changes nothing");
  if (failure) {
    require(failure.code == ClientErrc::invalid_config || failure.code == ClientErrc::codec_missing,
            "an error is one of the two");
    require(!failure.message().empty(), "an error has words");
    fuzz::reached(failure.message().find("line ") == std::string::npos ? "refused"
                                                                       : "line refused");
  } else {
    (void)check(configs.client);
    (void)check(configs.producer, configs.client);
    (void)check(configs.consumer);
    if (!properties.empty()) fuzz::reached("applied");
  }
  std::vector<Property> read;
  if (read_properties(text, read)) return fuzz::reached("unreadable");
  write_and_read_again(read);
  keep_secrets(read);
}

}  // namespace
}  // namespace tern::kafka

std::vector<std::string> tern::fuzz::milestones() {
  return {"applied", "line refused", "unreadable"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tern::kafka::run({reinterpret_cast<const char*>(data), size});
  return 0;
}

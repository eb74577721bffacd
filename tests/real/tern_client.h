#ifndef TERN_TESTS_REAL_TERN_CLIENT_H_
#define TERN_TESTS_REAL_TERN_CLIENT_H_

// tern as the suites against a real Kafka use it: plain calls that block, made of futures on a
// thread of the library's. Failures come as exceptions with the diagnostics in their text.

#include <asio/use_future.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "client/codecs/lz4.h"
#include "client/codecs/snappy.h"
#include "client/codecs/zstd.h"
#include "client/kafka/admin.h"
#include "client/kafka/client.h"
#include "client/kafka/consumer.h"
#include "client/kafka/producer.h"
#include "client/net/runtime.h"
#include "tests/real/real_kafka.h"

namespace tern::real {

inline constexpr Duration kPatience = std::chrono::seconds(90);

inline kafka::ClientConfig client_config() {
  kafka::ClientConfig config;
  config.bootstrap = brokers();
  config.connect_timeout = std::chrono::seconds(5);
  config.codecs = {kafka::gzip(), kafka::snappy(), kafka::lz4(), kafka::zstd()};
  return config;
}

inline constexpr kafka::Compression kCodecs[] = {kafka::Compression::none, kafka::Compression::gzip,
                                                 kafka::Compression::snappy,
                                                 kafka::Compression::lz4, kafka::Compression::zstd};

// A client with its thread.
class Tern {
 public:
  explicit Tern(kafka::ClientConfig config = client_config())
      : client(runtime_, std::move(config)) {}

  // `call(token, diagnostics)` starts an operation; this waits for its end.
  template <class Call>
  auto wait(Call&& call) {
    Diagnostics diagnostics;
    auto future = call(asio::use_future, &diagnostics);
    try {
      return future.get();
    } catch (const std::system_error& error) {
      throw std::runtime_error(error.code().message() + ": " + diagnostics.message);
    }
  }

  void create_topic(const std::string& name, std::int32_t partitions, std::int16_t replicas = 1,
                    std::vector<std::pair<std::string, std::string>> configs = {});

 private:
  net::Runtime runtime_;

 public:
  kafka::Client client;
};

struct Got {
  std::int64_t offset;
  std::int64_t timestamp_ms;
  bool key_null, value_null;
  std::string key, value;
  std::vector<std::pair<std::string, std::string>> headers;
};
using GotByPartition = std::map<std::int32_t, std::vector<Got>>;

// Reads `count` records from the beginning of these partitions, or throws when they stop coming.
GotByPartition read_all(Tern& tern, const std::string& topic, std::int32_t partitions,
                        std::size_t count);

// Calls `each(partition, offset, value)` for all records up to the end as it is now.
std::size_t for_each_record(
    Tern& tern, const std::string& topic, std::int32_t partitions,
    const std::function<void(std::int32_t, std::int64_t, std::string_view)>& each);

}  // namespace tern::real

#endif  // TERN_TESTS_REAL_TERN_CLIENT_H_

// For tests of `tern kafka` as people use it: the built command, an embedded cluster behind real
// sockets, and what that has stored, read from its log and not through the client under test.
#ifndef TERN_TESTS_CLI_RIG_H_
#define TERN_TESTS_CLI_RIG_H_

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/broker/broker.h"
#include "tests/cli/command.h"

namespace tern::cli {

using Words = std::vector<std::string>;

// What a request asks for, in the protocol's numbers.
inline constexpr std::int16_t kProduceApi = 0;
inline constexpr std::int16_t kFetchApi = 1;
inline constexpr std::int16_t kMetadataApi = 3;

class KafkaRig : public ::testing::Test {
 protected:
  KafkaRig();
  ~KafkaRig() override;

  // `tern kafka WORDS`, and the same with -b and the cluster.
  static Words plain(Words words);
  Words kafka(Words words) const;

  void create_topic(const std::string& name, std::int32_t partitions = 1);
  // One record for each line of JSON, as `produce -J` reads it.
  void fill(const std::string& topic, const std::string& json);
  // Runs `call` on the brokers' thread and waits for it.
  void on_brokers(std::function<void(broker::EmbeddedKafka&)> call);
  void inject(std::int16_t api_key, broker::Injection injection);

  // Comes true with the next request of this kind.
  std::future<void> next_request(std::int16_t api_key);

  // "key|value|name=value..." of each record, ~ for null.
  Words stored(const std::string& topic, std::int32_t partition = 0);
  const std::string& bootstrap() const { return bootstrap_; }

 private:
  struct Brokers;
  std::unique_ptr<Brokers> brokers_;
  std::string bootstrap_;
};

// A file of this test alone, with its path.
std::string file_with(const std::string& name, std::string_view content);

// "0\n" to "99\n" for 100.
std::string numbers(int count);

}  // namespace tern::cli

#endif  // TERN_TESTS_CLI_RIG_H_

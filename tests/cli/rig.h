// For tests of `tern kafka` as people use it: the built command, an embedded cluster behind real
// sockets, and what that has stored, read from its log and not through the client under test.
#ifndef TERN_TESTS_CLI_RIG_H_
#define TERN_TESTS_CLI_RIG_H_

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/kafka/messages/all.h"
#include "tests/broker/broker.h"
#include "tests/cli/command.h"
#include "tests/net/facade_rig.h"

namespace tern::cli {

using Words = std::vector<std::string>;

class KafkaRig : public ::testing::Test, protected kafka::Brokers {
 protected:
  // `tern kafka WORDS`, and the same with -b and the cluster.
  static Words plain(Words words);
  Words kafka(Words words) const;

  // One record for each line of JSON, as `produce -J` reads it.
  void fill(const std::string& topic, const std::string& json);
  void inject(const kafka::Api& api, broker::Injection injection);
  // Whoever fetches from the partition gets this error, for good.
  void refuse_fetches(const std::string& topic, std::int32_t partition, kafka::BrokerErrc error);

  // Comes true with the next request of this kind.
  std::future<void> next_request(const kafka::Api& api);

  // "key|value|name=value..." of each record, ~ for null.
  Words stored(const std::string& topic, std::int32_t partition = 0);
  std::string bootstrap() const { return config().bootstrap.at(0); }
};

// A file of this test alone, with its path.
std::string file_with(const std::string& name, std::string_view content);

// "0\n" to "99\n" for 100.
std::string numbers(int count);

}  // namespace tern::cli

#endif  // TERN_TESTS_CLI_RIG_H_

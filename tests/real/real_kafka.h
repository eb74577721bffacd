#ifndef TERN_TESTS_REAL_REAL_KAFKA_H_
#define TERN_TESTS_REAL_REAL_KAFKA_H_

// What the suites against a real Apache Kafka share: where it is, control of its nodes, and kcat as
// the client that nobody here wrote.
//
// TERN_KAFKA names the brokers ("127.0.0.1:29092,..."; node 1 first) and TERN_KAFKA_CONTROL the
// command that controls them ("/path/kafka.sh --port 29092"). Without TERN_KAFKA every test of a
// RealKafka suite is skipped, loudly. `./dev test` sets both; by hand:
//
//   export TERN_KAFKA=$(tests/real/kafka.sh start --nodes 3)
//   export TERN_KAFKA_CONTROL="$PWD/tests/real/kafka.sh --port 9092"
//
// Everything here blocks and is meant for the test's own thread; node control may also be called
// from another one, so that nodes die while a test produces.

#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"

namespace tern::real {

// The brokers, "host:port" each; empty when there are none.
[[nodiscard]] std::vector<std::string> brokers();
// The same, with commas between.
[[nodiscard]] std::string bootstrap();

// A topic name that no earlier run used. Kafka creates it on first use with the defaults of the
// cluster; `create_topic` makes one with a given number of partitions.
[[nodiscard]] std::string unique_topic(std::string_view prefix);

struct Outcome {
  int status = -1;  // exit status; 128 + signal when killed
  std::string out;  // standard output
  std::string err;  // standard error
};

// Runs a program found in PATH to its end, with `input` as its standard input.
[[nodiscard]] Outcome run(const std::vector<std::string>& command, std::string_view input = {});

// Nodes count from 1. A false return was reported as a test failure.
bool kill_node(int node);    // as kill -9: no goodbye, nothing flushed
bool end_node(int node);     // an orderly shutdown; returns when it is over
bool boot_node(int node);    // returns when the node serves again
bool freeze_node(int node);  // stops its process: connections stay open, nothing answers
bool thaw_node(int node);

// "4.4.0"
[[nodiscard]] std::string kafka_version();
// One of Kafka's own programs of that version (see kafka.sh), with the brokers filled in.
[[nodiscard]] Outcome java_tool(const std::string& name, const std::vector<std::string>& arguments,
                                std::string_view input = {});
// kcat with the brokers filled in.
[[nodiscard]] Outcome kcat(std::vector<std::string> arguments, std::string_view input = {});
// Everything in a topic (or one partition of it) up to its end now, in `format` of kcat's -f.
[[nodiscard]] Outcome kcat_read(const std::string& topic, const std::string& format,
                                int partition = -1);
// One line of `kcat -L -t topic`: node ids by partition; empty when the topic has no leader yet.
[[nodiscard]] std::vector<int> leaders(const std::string& topic);

class RealKafka : public ::testing::Test {
 protected:
  void SetUp() override;
};

}  // namespace tern::real

#endif  // TERN_TESTS_REAL_REAL_KAFKA_H_

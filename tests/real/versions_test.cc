// What depends on the version of Apache Kafka: each test says what the one that runs has, and what
// tern makes of what it lacks.

#include <atomic>

#include "tests/real/tern_client.h"

namespace tern::real {
namespace {

using Versions = RealKafka;

constexpr std::int64_t kStamp = 1'700'000'000'000;

int major_version() { return std::stoi(kafka_version()); }

// What became of one record.
struct Sent {
  std::error_code error, cause;
  std::string message;
};

Sent send(Tern& tern, const std::string& topic, const kafka::ProducerConfig& config,
          const kafka::Record& record) {
  kafka::Producer producer(tern.client, config);
  Sent sent;
  EXPECT_FALSE(
      producer.try_send(topic, record, [&](std::error_code error, const kafka::Delivery& delivery) {
        sent = {error, delivery.cause, delivery.message()};
      }));
  producer.async_flush(asio::use_future).get();
  producer.async_close(kPatience, asio::use_future).get();
  return sent;
}

void write_lines(Tern& tern, const std::string& topic, const kafka::ProducerConfig& config,
                 int count) {
  kafka::Producer producer(tern.client, config);
  std::atomic<int> good{0};
  for (int i = 0; i < count; ++i) {
    const std::string key = "k" + std::to_string(i);
    const std::string value = "line " + std::to_string(i);
    ASSERT_FALSE(producer.try_send(topic, {.key = key, .value = value, .timestamp_ms = kStamp + i},
                                   [&](std::error_code error, const kafka::Delivery& delivery) {
                                     EXPECT_FALSE(error) << delivery.message();
                                     ++good;
                                   }));
  }
  producer.async_flush(asio::use_future).get();
  EXPECT_EQ(good, count);
  producer.async_close(kPatience, asio::use_future).get();
}

std::string lines(int count, char separator) {
  std::string all;
  for (int i = 0; i < count; ++i) {
    all += "k" + std::to_string(i) + separator + "line " + std::to_string(i) + "\n";
  }
  return all;
}

// `stamp`: of the first record, each further one is a millisecond later; -1: there are none;
// 0: the time of writing.
void expect_lines(const GotByPartition& got, int count, std::int64_t stamp) {
  ASSERT_EQ(got.at(0).size(), static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const Got& one = got.at(0)[static_cast<std::size_t>(i)];
    ASSERT_EQ(one.offset, i);
    ASSERT_EQ(one.key, "k" + std::to_string(i));
    ASSERT_EQ(one.value, "line " + std::to_string(i));
    if (stamp == 0) {
      ASSERT_GT(one.timestamp_ms, kStamp);
    } else {
      ASSERT_EQ(one.timestamp_ms, stamp < 0 ? -1 : stamp + i);
    }
  }
}

TEST_F(Versions, TimesThatABrokerIsTooOldForAreAnErrorThatNamesBothSides) {
  Tern tern;
  const std::string topic = unique_topic("versions-times");
  tern.create_topic(topic, 1);
  kafka::ProducerConfig config;
  for (const std::int64_t time : {kStamp, kStamp + 500, kStamp + 100}) {
    ASSERT_FALSE(send(tern, topic, config, {.value = "v", .timestamp_ms = time}).error);
  }
  const int spoken = major_version() == 2 ? 6 : major_version() == 3 ? 9 : 11;  // of ListOffsets
  struct Case {
    std::int64_t time;
    int needs;
    std::int64_t found;
  };
  for (const Case& each :
       {Case{kafka::kEarliestTime, 1, 0}, Case{kafka::kLatestTime, 1, 3},
        Case{kafka::kHighestTime, 7, 1}, Case{kafka::kEarliestLocalTime, 8, 0},
        Case{kafka::kLatestTieredTime, 9, -1}, Case{kafka::kEarliestPendingUploadTime, 11, -1}}) {
    SCOPED_TRACE(each.time);
    kafka::Consumer consumer(tern.client);
    Diagnostics diagnostics;
    auto answer =
        consumer.async_offsets_for_times({{{topic, 0}, each.time}}, asio::use_future, &diagnostics);
    try {
      const kafka::OffsetsAndTimes found = answer.get();
      EXPECT_GE(spoken, each.needs);
      EXPECT_EQ(found.at(0).offset, each.found);
    } catch (const std::system_error& error) {
      EXPECT_LT(spoken, each.needs) << diagnostics.message;
      EXPECT_EQ(error.code(), ClientErrc::unsupported_version);
      const std::string says = "to " + std::to_string(spoken) + ", this request needs " +
                               std::to_string(each.needs) + " to 11";
      EXPECT_NE(diagnostics.message.find(says), std::string::npos) << diagnostics.message;
    }
  }
}

// Known by its id where there are ids in metadata (2.8) and in fetches (3.1), else by its leader.
TEST_F(Versions, TopicThatWasDeletedAndMadeAnewIsGoneOnWith) {
  Tern tern;
  kafka::Admin admin(tern.client);
  const std::string topic = unique_topic("versions-anew");
  tern.create_topic(topic, 1);
  kafka::Producer producer(tern.client);
  kafka::ConsumerConfig config;
  config.assignment = {{topic, 0, kafka::Position::earliest()}};
  config.offset_reset = kafka::OffsetReset::earliest;
  kafka::Consumer consumer(tern.client, config);
  const auto exchange = [&](const std::string& prefix, int count) {
    for (int i = 0; i < count; ++i) {
      const std::string value = prefix + std::to_string(i);
      const kafka::Delivery stored = tern.wait([&](auto token, Diagnostics* diagnostics) {
        return producer.async_send(topic, {.value = value}, token, diagnostics);
      });
      EXPECT_EQ(stored.offset, i);
    }
    for (int i = 0; i < count;) {
      try {
        const kafka::Records records = consumer.async_poll(kPatience, asio::use_future).get();
        ASSERT_FALSE(records.empty());
        for (const auto& record : records) {
          ASSERT_EQ(record.offset, i);
          ASSERT_EQ(record.value.view(), prefix + std::to_string(i++));
        }
      } catch (const std::system_error& error) {
        ASSERT_EQ(error.code(), ClientErrc::unknown_topic);  // for as long as it was missing
      }
    }
  };
  exchange("first ", 10);
  const auto deleted = tern.wait([&](auto token, Diagnostics* diagnostics) {
    return admin.async_delete_topics({topic}, token, diagnostics);
  });
  ASSERT_FALSE(deleted.at(0).error) << deleted.at(0).message;
  exchange("second ", 5);  // made by being written to
}

// Kafka 2.8 still keeps topics in the formats of before 0.11 if told to: v0 (0.9.0) and v1
// (0.10.0). From 3.0 on it takes no notice, and 4.0 does not know the setting any more.
class OldFormats : public RealKafka, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    RealKafka::SetUp();
    if (IsSkipped()) return;
    plain_.idempotence = false;
  }
  std::string make_topic(Tern& tern) {
    std::string topic = unique_topic("versions-format");
    tern.create_topic(topic, 1, 1, {{"message.format.version", GetParam()}});
    return topic;
  }
  void expect_gone(Tern& tern) {
    if (major_version() >= 4) {
      EXPECT_THROW(make_topic(tern), std::runtime_error);
      return;
    }
    const std::string topic = make_topic(tern);
    const Sent sent = send(tern, topic, {}, with_header_);
    EXPECT_FALSE(sent.error) << sent.message;
    EXPECT_EQ(read_all(tern, topic, 1, 1).at(0).at(0).headers.size(), 1U);
  }
  bool has_times() const { return std::string(GetParam()) != "0.9.0"; }
  kafka::ProducerConfig plain_;
  const kafka::Header header_{"name", "value"};
  const kafka::Record with_header_{.value = "v", .headers = {&header_, 1}};
};
INSTANTIATE_TEST_SUITE_P(Versions, OldFormats, testing::Values("0.9.0", "0.10.0"),
                         [](const auto& which) {
                           return std::string(which.param) == "0.9.0" ? "V0" : "V1";
                         });

TEST_P(OldFormats, AreReadWhoeverWroteThem) {
  Tern tern;
  if (major_version() > 2) return expect_gone(tern);
  constexpr int kCount = 2000;
  for (const kafka::Compression compression : kCodecs) {
    // zstd is not for old formats, and lz4 has a wrong checksum in v0.
    if (compression == kafka::Compression::zstd) continue;
    if (compression == kafka::Compression::lz4 && !has_times()) continue;
    const char* const codec = kafka::name(compression);
    SCOPED_TRACE(codec);
    const std::string ours = make_topic(tern);
    plain_.compression = compression;
    write_lines(tern, ours, plain_, kCount);
    expect_lines(read_all(tern, ours, 1, kCount), kCount, has_times() ? kStamp : -1);
    EXPECT_EQ(kcat_read(ours, "%k:%s\n").out, lines(kCount, ':'));
    // librdkafka as it was then: it sends the old format itself.
    for (const bool old_client : {false, true}) {
      const std::string theirs = make_topic(tern);
      std::vector<std::string> arguments = {"-P", "-t", theirs, "-K", ":", "-z", codec};
      if (old_client) {
        arguments.insert(arguments.end(), {"-X", "api.version.request=false", "-X",
                                           "broker.version.fallback=" + std::string(GetParam())});
      }
      const Outcome written = kcat(arguments, lines(kCount, ':'));
      ASSERT_EQ(written.status, 0) << written.err;
      expect_lines(read_all(tern, theirs, 1, kCount), kCount, has_times() ? 0 : -1);
    }
  }
}

// Producer ids and headers came with v2. Nothing is stored, though what 2.8 says of headers (an
// exception that it did not foresee) could mean anything.
TEST_P(OldFormats, TakeNeitherProducerIdsNorHeaders) {
  Tern tern;
  if (major_version() > 2) return expect_gone(tern);
  const std::string topic = make_topic(tern);
  const Sent numbered = send(tern, topic, {}, {.value = "v"});
  EXPECT_EQ(numbered.error, ClientErrc::not_written);
  EXPECT_EQ(numbered.cause, kafka::BrokerErrc::unsupported_for_message_format) << numbered.message;
  const Sent headed = send(tern, topic, plain_, with_header_);
  EXPECT_EQ(headed.error, ClientErrc::maybe_written);
  EXPECT_EQ(headed.cause, kafka::BrokerErrc::unknown_server_error) << headed.message;
  EXPECT_FALSE(send(tern, topic, plain_, {.value = "plain"}).error);
  EXPECT_EQ(read_all(tern, topic, 1, 1).at(0).at(0).value, "plain");
}

TEST_F(Versions, JavaOfThatVersionAndTernReadEachOther) {
  Tern tern;
  constexpr int kCount = 2000;
  for (const kafka::Compression compression : kCodecs) {
    const char* const codec = kafka::name(compression);
    SCOPED_TRACE(codec);
    const std::string theirs = unique_topic("versions-java");
    tern.create_topic(theirs, 1);
    const Outcome written = java_tool(
        "ConsoleProducer",
        {"--topic", theirs, "--property", "parse.key=true", "--property",
         "key.separator=:", "--compression-codec", codec, "--request-required-acks", "all"},
        lines(kCount, ':'));
    ASSERT_EQ(written.status, 0) << written.err;
    expect_lines(read_all(tern, theirs, 1, kCount), kCount, 0);
  }
  const std::string ours = unique_topic("versions-tern");
  tern.create_topic(ours, 1);
  std::string all;
  for (const kafka::Compression compression : kCodecs) {
    write_lines(tern, ours, {.compression = compression}, kCount);
    all += lines(kCount, '\t');
  }
  const Outcome read =
      java_tool("ConsoleConsumer",
                {"--topic", ours, "--partition", "0", "--offset", "earliest", "--max-messages",
                 std::to_string(kCount * static_cast<int>(std::size(kCodecs))), "--timeout-ms",
                 "20000", "--property", "print.key=true"});
  EXPECT_TRUE(read.out.ends_with(all)) << read.err << read.out.substr(0, 300);
}

}  // namespace
}  // namespace tern::real

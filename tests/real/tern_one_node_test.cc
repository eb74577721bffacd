// tern against one node of Apache Kafka, with kcat as the witness.

#include <system_error>
#include <thread>

#include "tests/real/tern_client.h"

namespace tern::real {
namespace {

using OneNode = RealKafka;
using namespace std::chrono_literals;

constexpr std::int64_t kStamp = 1'700'000'000'000;

struct Way {
  kafka::Acks acks;
  bool idempotence;
  kafka::Compression compression;
};

void produce_numbers(Tern& tern, const std::string& topic, const Way& way, int count) {
  kafka::ProducerConfig config;
  config.acks = way.acks;
  config.idempotence = way.idempotence;
  config.compression = way.compression;
  kafka::Producer producer(tern.client, config);
  const kafka::TopicHandle handle = producer.topic(topic);
  std::atomic<int> good{0};
  std::atomic<int> bad{0};
  for (int i = 0; i < count; ++i) {
    const std::string key = "k" + std::to_string(i);
    const std::string value = "value " + std::to_string(i);
    const std::vector<kafka::Header> headers = {{"n", key}, {"none", kafka::null}};
    kafka::Record record{
        .key = key, .value = value, .headers = headers, .timestamp_ms = kStamp + i};
    if (i % 10 == 3) record.key = kafka::null;
    if (i % 10 == 4) record.key = "";
    if (i % 10 == 5) record.value = kafka::null;
    if (i % 10 == 6) record.value = "";
    record.partition = i % 2;
    const std::error_code error = producer.try_send(
        handle, record, [&, i](std::error_code failed, const kafka::Delivery& delivery) {
          ++(failed ? bad : good);
          EXPECT_EQ(delivery.offset, way.acks == kafka::Acks::none ? -1 : i / 2);
          EXPECT_EQ(delivery.partition, i % 2);
          EXPECT_EQ(delivery.timestamp_ms, kStamp + i);
        });
    ASSERT_FALSE(error) << error.message();
  }
  producer.async_flush(asio::use_future).get();
  EXPECT_EQ(good, count);
  EXPECT_EQ(bad, 0);
  producer.async_close(kPatience, asio::use_future).get();
}

void expect_numbers(const GotByPartition& got, int count) {
  for (int i = 0; i < count; ++i) {
    const std::vector<Got>& partition = got.at(i % 2);
    ASSERT_GT(partition.size(), static_cast<std::size_t>(i / 2));
    const Got& one = partition[static_cast<std::size_t>(i / 2)];
    EXPECT_EQ(one.offset, i / 2);
    EXPECT_EQ(one.timestamp_ms, kStamp + i);
    EXPECT_EQ(one.key_null, i % 10 == 3);
    EXPECT_EQ(one.value_null, i % 10 == 5);
    const std::string key = "k" + std::to_string(i);
    EXPECT_EQ(one.key, i % 10 == 3 || i % 10 == 4 ? "" : key);
    EXPECT_EQ(one.value, i % 10 == 5 || i % 10 == 6 ? "" : "value " + std::to_string(i));
    const std::vector<std::pair<std::string, std::string>> headers = {{"n", key},
                                                                      {"none", "(null)"}};
    EXPECT_EQ(one.headers, headers);
  }
}

// A broker may tell of a new leader before that serves; a record sent without acks then is lost.
void wait_until_led(Tern& tern, const std::string& topic) {
  kafka::Consumer consumer(tern.client);
  tern.wait([&](auto token, Diagnostics* diagnostics) {
    return consumer.async_end_offsets({{topic, 0}, {topic, 1}}, token, diagnostics);
  });
}

TEST_F(OneNode, EveryAcksAndCodecThereAndBack) {
  Tern tern;
  for (const kafka::Compression compression : kCodecs) {
    SCOPED_TRACE(kafka::name(compression));
    for (const auto& [acks, idempotence] :
         {std::pair{kafka::Acks::none, false}, std::pair{kafka::Acks::leader, false},
          std::pair{kafka::Acks::all, false}, std::pair{kafka::Acks::all, true}}) {
      const std::string topic = unique_topic("tern-ways");
      tern.create_topic(topic, 2);
      if (acks == kafka::Acks::none) wait_until_led(tern, topic);
      constexpr int kCount = 2000;
      produce_numbers(tern, topic, {acks, idempotence, compression}, kCount);
      expect_numbers(read_all(tern, topic, 2, kCount), kCount);
      const Outcome seen = kcat_read(topic, "%p %o %T %k %s\n", 1);
      ASSERT_EQ(seen.status, 0) << seen.err;
      EXPECT_EQ(std::count(seen.out.begin(), seen.out.end(), '\n'), kCount / 2);
      EXPECT_TRUE(seen.out.starts_with("1 0 1700000000001 k1 value 1\n"))
          << seen.out.substr(0, 200);
    }
  }
}

TEST_F(OneNode, ReadsWhatKcatWrote) {
  Tern tern;
  for (const kafka::Compression compression : kCodecs) {
    const char* const codec = kafka::name(compression);
    SCOPED_TRACE(codec);
    const std::string topic = unique_topic("tern-reads");
    tern.create_topic(topic, 1);
    std::string lines;
    for (int i = 0; i < 5000; ++i)
      lines += "key" + std::to_string(i) + ":line " + std::to_string(i) + "\n";
    const Outcome written =
        kcat({"-P", "-t", topic, "-K", ":", "-z", codec, "-H", "from=kcat", "-p", "0"}, lines);
    ASSERT_EQ(written.status, 0) << written.err;
    const GotByPartition got = read_all(tern, topic, 1, 5000);
    for (int i = 0; i < 5000; ++i) {
      const Got& one = got.at(0)[static_cast<std::size_t>(i)];
      ASSERT_EQ(one.key, "key" + std::to_string(i));
      ASSERT_EQ(one.value, "line " + std::to_string(i));
      ASSERT_EQ(one.headers.size(), 1U);
      ASSERT_EQ(one.headers[0], (std::pair<std::string, std::string>("from", "kcat")));
    }
  }
}

TEST_F(OneNode, BatchesTheBrokerFindsTooLargeAreSplit) {
  Tern tern;
  const std::string topic = unique_topic("tern-split");
  tern.create_topic(topic, 1, 1, {{"max.message.bytes", "20000"}});
  kafka::ProducerConfig config;
  config.linger = 200ms;  // so that one batch gets far above the limit
  kafka::Producer producer(tern.client, config);
  std::atomic<int> good{0};
  constexpr int kCount = 2000;
  for (int i = 0; i < kCount; ++i) {
    const std::string value = std::to_string(i) + std::string(90, '.');
    ASSERT_FALSE(producer.try_send(topic, {.value = value},
                                   [&, i](std::error_code error, const kafka::Delivery& d) {
                                     EXPECT_FALSE(error) << d.message();
                                     EXPECT_EQ(d.offset, i);
                                     ++good;
                                   }));
  }
  const std::string large(30'000, 'x');
  std::error_code refused;
  std::error_code cause;
  ASSERT_FALSE(producer.try_send(topic, {.value = large},
                                 [&](std::error_code error, const kafka::Delivery& d) {
                                   refused = error;
                                   cause = d.cause;
                                 }));
  producer.async_flush(asio::use_future).get();
  EXPECT_EQ(good, kCount);
  EXPECT_EQ(refused, ClientErrc::not_written);
  EXPECT_EQ(cause, ClientErrc::record_too_large);
  std::int64_t next = 0;
  for_each_record(tern, topic, 1, [&](std::int32_t, std::int64_t offset, std::string_view value) {
    EXPECT_EQ(offset, next);
    EXPECT_TRUE(value.starts_with(std::to_string(next) + "."));
    ++next;
  });
  EXPECT_EQ(next, kCount);
}

TEST_F(OneNode, PositionsSeekAndTimes) {
  Tern tern;
  const std::string topic = unique_topic("tern-seek");
  tern.create_topic(topic, 2);
  produce_numbers(tern, topic, {kafka::Acks::all, true, kafka::Compression::none}, 1000);
  kafka::ConsumerConfig config;
  config.assignment = {{topic, 0, kafka::Position::offset(100)},
                       {topic, 1, kafka::Position::timestamp(kStamp + 501)}};
  kafka::Consumer consumer(tern.client, config);
  std::map<std::int32_t, std::int64_t> first;
  while (first.size() < 2) {
    const kafka::Records records = tern.wait([&](auto token, Diagnostics* diagnostics) {
      return consumer.async_poll(kPatience, token, diagnostics);
    });
    for (const auto& record : records) first.emplace(record.partition, record.offset);
  }
  EXPECT_EQ(first[0], 100);
  EXPECT_EQ(first[1], 250);
  const auto offsets = tern.wait([&](auto token, Diagnostics* diagnostics) {
    return consumer.async_end_offsets({{topic, 0}, {topic, 1}}, token, diagnostics);
  });
  ASSERT_EQ(offsets.size(), 2U);
  EXPECT_EQ(offsets[0].offset, 500);
  ASSERT_FALSE(consumer.assign({{topic, 0, kafka::Position::earliest()}}));
  ASSERT_FALSE(consumer.seek({topic, 0}, kafka::Position::offset(499)));
  const kafka::Records last = tern.wait([&](auto token, Diagnostics* diagnostics) {
    return consumer.async_poll(kPatience, token, diagnostics);
  });
  ASSERT_EQ(last.size(), 1U);
  EXPECT_EQ((*last.begin()).offset, 499);
  EXPECT_EQ(consumer.position({topic, 0}), 500);
  EXPECT_EQ(consumer.lag({topic, 0}), 0);
}

TEST_F(OneNode, TopicsAreMadeGrownDescribedAndDeleted) {
  Tern tern;
  kafka::Admin admin(tern.client);
  const std::string topic = unique_topic("tern-admin");
  tern.create_topic(topic, 3, 1, {{"retention.ms", "100000"}});
  const auto again = tern.wait([&](auto token, Diagnostics* diagnostics) {
    return admin.async_create_topics({{topic, 1, 1, {}}}, token, diagnostics);
  });
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].error, kafka::BrokerErrc::topic_already_exists);
  const auto grown = tern.wait([&](auto token, Diagnostics* diagnostics) {
    return admin.async_create_partitions({{topic, 5}}, token, diagnostics);
  });
  ASSERT_EQ(grown.size(), 1U);
  EXPECT_FALSE(grown[0].error) << grown[0].message;
  // Each node learns of the change in its own time, and any of them may be asked.
  kafka::ClusterDescription described;
  for (int tries = 0; tries < 100; ++tries) {
    described = tern.wait([&](auto token, Diagnostics* diagnostics) {
      return admin.async_describe_topics({topic, topic + "-not"}, token, diagnostics);
    });
    if (described.topics.size() == 2 && described.topics[0].partitions.size() == 5) break;
    std::this_thread::sleep_for(50ms);
  }
  ASSERT_EQ(described.topics.size(), 2U);
  EXPECT_EQ(described.topics[0].partitions.size(), 5U);
  EXPECT_EQ(described.topics[1].error, kafka::BrokerErrc::unknown_topic_or_partition);
  EXPECT_EQ(described.nodes.size(), brokers().size());
  const auto deleted = tern.wait([&](auto token, Diagnostics* diagnostics) {
    return admin.async_delete_topics({topic}, token, diagnostics);
  });
  ASSERT_EQ(deleted.size(), 1U);
  EXPECT_FALSE(deleted[0].error) << deleted[0].message;
}

TEST_F(OneNode, ConsumingGoesOnAfterTheBrokerIsRestarted) {
  Tern tern;
  const std::string topic = unique_topic("tern-restart");
  tern.create_topic(topic, 1);
  kafka::ConsumerConfig config;
  config.assignment = {{topic, 0, kafka::Position::earliest()}};
  kafka::Consumer consumer(tern.client, config);
  kafka::Producer producer(tern.client);
  std::int64_t read = 0;
  const auto exchange = [&](std::int64_t up_to) {
    for (std::int64_t i = read; i < up_to; ++i) {
      const std::string value = std::to_string(i);
      ASSERT_FALSE(producer.try_send(topic, {.value = value}));
    }
    while (read < up_to) {
      kafka::Records records;
      try {
        records = consumer.async_poll(kPatience, asio::use_future).get();
      } catch (const std::system_error& error) {
        // A node that took more than a few seconds to boot; it is tried again.
        ASSERT_EQ(error.code(), ClientErrc::no_broker) << error.what();
        continue;
      }
      ASSERT_FALSE(records.empty());
      for (const auto& record : records) {
        ASSERT_EQ(record.offset, read);
        ASSERT_EQ(record.value.view(), std::to_string(read));
        ++read;
      }
    }
  };
  exchange(1000);
  ASSERT_TRUE(kill_node(1));
  ASSERT_TRUE(boot_node(1));
  exchange(2000);
  ASSERT_TRUE(end_node(1));
  ASSERT_TRUE(boot_node(1));
  exchange(3000);
}

}  // namespace
}  // namespace tern::real

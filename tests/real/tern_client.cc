#include "tests/real/tern_client.h"

namespace tern::real {

void Tern::create_topic(const std::string& name, std::int32_t partitions, std::int16_t replicas,
                        std::vector<std::pair<std::string, std::string>> configs) {
  kafka::Admin admin(client);
  const kafka::NewTopic topic{name, partitions, replicas, std::move(configs)};
  const kafka::TopicResults results = wait([&](auto token, Diagnostics* diagnostics) {
    return admin.async_create_topics({topic}, token, diagnostics);
  });
  for (const kafka::TopicResult& result : results) {
    if (result.error) throw std::runtime_error("create " + name + ": " + result.message);
  }
}

namespace {

std::vector<kafka::Assignment> from_the_beginning(const std::string& topic,
                                                  std::int32_t partitions) {
  std::vector<kafka::Assignment> assignment;
  for (std::int32_t p = 0; p < partitions; ++p)
    assignment.push_back({topic, p, kafka::Position::earliest()});
  return assignment;
}

kafka::Records poll(Tern& tern, kafka::Consumer& consumer) {
  kafka::Records records = tern.wait([&](auto token, Diagnostics* diagnostics) {
    return consumer.async_poll(kPatience, token, diagnostics);
  });
  if (records.empty()) throw std::runtime_error("no more records came");
  return records;
}

}  // namespace

GotByPartition read_all(Tern& tern, const std::string& topic, std::int32_t partitions,
                        std::size_t count) {
  kafka::ConsumerConfig config;
  config.assignment = from_the_beginning(topic, partitions);
  kafka::Consumer consumer(tern.client, config);
  GotByPartition got;
  for (std::size_t total = 0; total < count;) {
    const kafka::Records records = poll(tern, consumer);
    for (const kafka::ConsumerRecord& record : records) {
      Got one{record.offset,
              record.timestamp_ms,
              record.key.is_null(),
              record.value.is_null(),
              record.key.is_null() ? "" : record.key.str(),
              record.value.is_null() ? "" : record.value.str(),
              {}};
      for (const kafka::Header& header : record.headers) {
        one.headers.emplace_back(header.key.str(),
                                 header.value.is_null() ? "(null)" : header.value.str());
      }
      got[record.partition].push_back(std::move(one));
    }
    total += records.size();
  }
  return got;
}

std::size_t for_each_record(
    Tern& tern, const std::string& topic, std::int32_t partitions,
    const std::function<void(std::int32_t, std::int64_t, std::string_view)>& each) {
  kafka::ConsumerConfig config;
  config.assignment = from_the_beginning(topic, partitions);
  kafka::Consumer consumer(tern.client, config);
  std::vector<kafka::TopicPartition> all;
  for (std::int32_t p = 0; p < partitions; ++p) all.push_back({topic, p});
  const kafka::OffsetsAndTimes ends = tern.wait([&](auto token, Diagnostics* diagnostics) {
    return consumer.async_end_offsets(all, token, diagnostics);
  });
  std::int64_t expected = 0;
  for (const auto& end : ends) expected += end.offset;
  std::size_t total = 0;
  while (static_cast<std::int64_t>(total) < expected) {
    const kafka::Records records = poll(tern, consumer);
    for (const kafka::ConsumerRecord& record : records) {
      each(record.partition, record.offset, record.value);
    }
    total += records.size();
  }
  return total;
}

}  // namespace tern::real

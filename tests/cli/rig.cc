#include "tests/cli/rig.h"

#include <unistd.h>

#include <fstream>
#include <utility>

namespace tern::cli {
namespace {

std::string text_of(const wire::Bytes& bytes) {
  return bytes.is_null() ? "~" : std::string(bytes.view());
}

}  // namespace

Words KafkaRig::plain(Words words) {
  words.insert(words.begin(), {"client/cli/tern", "kafka"});
  return words;
}

Words KafkaRig::kafka(Words words) const {
  words.insert(words.end(), {"-b", bootstrap()});
  return plain(std::move(words));
}

void KafkaRig::fill(const std::string& topic, const std::string& json) {
  const Ended ended = run(kafka({"produce", "-J", "-t", topic}), json);
  ASSERT_EQ(ended.status, 0) << ended.err;
}

void KafkaRig::inject(const kafka::Api& api, broker::Injection injection) {
  on_thread(
      [&](broker::EmbeddedKafka& kafka) { kafka.cluster().inject(api.key, std::move(injection)); });
}

void KafkaRig::refuse_fetches(const std::string& topic, std::int32_t partition,
                              kafka::BrokerErrc error) {
  broker::Injection refusal = broker::Injection::with_error(error, broker::kAlways);
  refusal.topic = topic;
  refusal.partition = partition;
  inject(kafka::kFetchApi, refusal);
}

std::future<void> KafkaRig::next_request(const kafka::Api& api) {
  auto promise = std::make_shared<std::promise<void>>();
  std::future<void> future = promise->get_future();
  on_thread([&](broker::EmbeddedKafka& kafka) {
    kafka.cluster().on_request(
        [promise, key = api.key](const broker::RequestInfo& request) mutable {
          if (!promise || request.api_key != key) return;
          promise->set_value();
          promise.reset();
        });
  });
  return future;
}

Words KafkaRig::stored(const std::string& topic, std::int32_t partition) {
  Words out;
  on_thread([&](broker::EmbeddedKafka& kafka) {
    broker::PartitionLog* log = kafka.cluster().log(topic, partition);
    if (!log) return;
    log->for_each_record([&](const broker::LogRecord& record) {
      std::string text = text_of(record.key) + "|" + text_of(record.value);
      for (const kafka::Header& header : record.headers) {
        text += "|" + std::string(header.key.view()) + "=" + text_of(header.value);
      }
      out.push_back(std::move(text));
    });
  });
  return out;
}

std::string file_with(const std::string& name, std::string_view content) {
  std::string path = ::testing::TempDir() + "/" + std::to_string(::getpid()) + name;
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

std::string numbers(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += std::to_string(i) + '\n';
  return out;
}

}  // namespace tern::cli

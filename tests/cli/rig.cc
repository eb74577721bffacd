#include "tests/cli/rig.h"

#include <unistd.h>

#include <fstream>
#include <utility>

#include "tests/net/facade_rig.h"

namespace tern::cli {
namespace {

std::string text_of(const wire::Bytes& bytes) {
  return bytes.is_null() ? "~" : std::string(bytes.view());
}

}  // namespace

struct KafkaRig::Brokers : kafka::Brokers {};

KafkaRig::KafkaRig()
    : brokers_(std::make_unique<Brokers>()), bootstrap_(brokers_->config().bootstrap.at(0)) {}

KafkaRig::~KafkaRig() = default;

Words KafkaRig::plain(Words words) {
  words.insert(words.begin(), {"client/cli/tern", "kafka"});
  return words;
}

Words KafkaRig::kafka(Words words) const {
  words.insert(words.end(), {"-b", bootstrap_});
  return plain(std::move(words));
}

void KafkaRig::create_topic(const std::string& name, std::int32_t partitions) {
  brokers_->create_topic(name, partitions);
}

void KafkaRig::fill(const std::string& topic, const std::string& json) {
  const Ended ended = run(kafka({"produce", "-J", "-t", topic}), json);
  ASSERT_EQ(ended.status, 0) << ended.err;
}

void KafkaRig::on_brokers(std::function<void(broker::EmbeddedKafka&)> call) {
  brokers_->on_thread(std::move(call));
}

void KafkaRig::inject(std::int16_t api_key, broker::Injection injection) {
  on_brokers(
      [&](broker::EmbeddedKafka& kafka) { kafka.cluster().inject(api_key, std::move(injection)); });
}

std::future<void> KafkaRig::next_request(std::int16_t api_key) {
  auto promise = std::make_shared<std::promise<void>>();
  std::future<void> future = promise->get_future();
  on_brokers([&](broker::EmbeddedKafka& kafka) {
    kafka.cluster().on_request([promise, api_key](const broker::RequestInfo& request) mutable {
      if (!promise || request.api_key != api_key) return;
      promise->set_value();
      promise.reset();
    });
  });
  return future;
}

Words KafkaRig::stored(const std::string& topic, std::int32_t partition) {
  Words out;
  on_brokers([&](broker::EmbeddedKafka& kafka) {
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

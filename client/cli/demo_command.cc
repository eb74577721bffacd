// tern demo: shows the main job, and checks it.
#include <unistd.h>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/commands.h"
#include "client/cli/demo_amqp.h"
#include "client/cli/demo_group.h"
#include "client/cli/demo_reader.h"
#include "client/cli/embedded.h"
#include "client/cli/progress.h"
#include "client/kafka/admin.h"
#include "client/kafka/client.h"
#include "client/kafka/consumer.h"
#include "client/kafka/producer.h"

namespace tern::cli {

const char* const kDemoHelp =
    R"(tern demo: produce records with gzip and idempotence, read them back, check every one; then let
four members of a consumer group share a topic, of which one comes late, one is cut off and one leaves;
then messages there and back over AMQP, and a connection that is cut

  --brokers HOST:PORT,...  a real cluster, and no AMQP; without it embedded brokers are started
  --records N              how many (1,000,000)
  --partitions N           of the topic that is created for it, and deleted after (4)
  --topic NAME             its name (tern-demo-...); the group's has -group behind it
  --keep                   do not delete the topics
  --no-group               without the group

Exits with 1 if any record or message is lost, doubled, out of order or not what was sent, if the group
leaves one unprocessed, or if what it has stored ever goes back.
)";

namespace {

using Seconds = std::chrono::duration<double>;
using Clock = std::chrono::steady_clock;
constexpr Duration kPatience = std::chrono::seconds(60);
constexpr std::int64_t kAmqpMessages = 100'000;

struct Options {
  std::string brokers;
  std::int64_t records = 0;
  std::int32_t partitions = 0;
  std::string topic;
  bool keep = false;
  bool group = true;
  Duration session_timeout;  // of members of the group

  static constexpr std::int32_t kGroupPartitions = 8;
};

[[noreturn]] void give_up(const std::string& what, const std::string& why) {
  throw std::runtime_error(what + ": " + why);
}

void report_rate(const char* what, std::int64_t records, std::int64_t bytes, Clock::duration took) {
  const double seconds = std::max(Seconds(took).count(), 1e-9);
  std::printf(
      "%s %s records in %.2f s: %s records/s, %.1f MB/s\n", what, with_commas(records).c_str(),
      seconds,
      with_commas(static_cast<std::int64_t>(static_cast<double>(records) / seconds)).c_str(),
      static_cast<double>(bytes) / seconds / 1e6);
  std::fflush(stdout);
}

asio::awaitable<void> create_topic(kafka::Admin& admin, std::string name, std::int32_t partitions) {
  kafka::NewTopic topic;
  topic.name = name;
  topic.partitions = partitions;
  std::vector<kafka::NewTopic> topics;
  topics.push_back(std::move(topic));
  Diagnostics diagnostics;
  std::error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  const kafka::TopicResults results =
      co_await admin.async_create_topics(topics, token, &diagnostics);
  if (error) give_up("cannot create the topic", diagnostics.message);
  for (const kafka::TopicResult& result : results) {
    if (result.error) give_up("cannot create topic " + result.topic, result.message);
  }
  std::printf("created topic %s with %d partitions\n", name.c_str(), partitions);
}

asio::awaitable<void> produce(kafka::Client& client, const Options& options) {
  kafka::ProducerConfig config;
  config.compression = kafka::Compression::gzip;
  kafka::Producer producer(client, config);
  std::int64_t delivered = 0;
  std::string failure;
  producer.on_batch([&](const kafka::BatchReport& report) {
    if (report.error) {
      failure = report.message();
    } else {
      delivered += static_cast<std::int64_t>(report.count);
    }
  });
  const kafka::TopicHandle topic = producer.topic(options.topic);
  Progress progress("producing", options.records, "records");
  const auto start = Clock::now();
  std::int64_t bytes = 0;
  std::string value;
  for (std::int64_t i = 0; i < options.records && failure.empty(); ++i) {
    write_demo_value(i, value);
    bytes += static_cast<std::int64_t>(value.size());
    kafka::Record record;
    record.value = value;
    record.partition = static_cast<std::int32_t>(i % options.partitions);
    std::error_code error = producer.try_send(topic, record);
    while (error == ClientErrc::queue_full) {
      progress.show(delivered);
      co_await producer.async_wait_space(asio::use_awaitable);
      error = producer.try_send(topic, record);
    }
    if (error) give_up("cannot produce", error.message());
  }
  co_await producer.async_flush(asio::use_awaitable);
  progress.clear();
  if (!failure.empty()) give_up("not delivered", failure);
  if (delivered != options.records) {
    give_up("not delivered", std::to_string(options.records - delivered) + " records");
  }
  report_rate("produced", delivered, bytes, Clock::now() - start);
  co_await producer.async_close(kPatience, asio::use_awaitable);
}

asio::awaitable<void> consume(kafka::Client& client, const Options& options) {
  kafka::ConsumerConfig config;
  for (std::int32_t p = 0; p < options.partitions; ++p) {
    config.assignment.push_back({options.topic, p, kafka::Position::earliest()});
  }
  kafka::Consumer consumer(client, config);
  DemoReader reader(options.records, options.partitions);
  Progress progress("consuming", options.records, "records");
  const auto start = Clock::now();
  Diagnostics diagnostics;
  std::error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  while (!reader.complete()) {
    const kafka::Records records = co_await consumer.async_poll(kPatience, token, &diagnostics);
    if (error) give_up("cannot consume", diagnostics.message);
    if (records.empty()) give_up("cannot consume", "no more records came; " + reader.missing());
    for (const kafka::ConsumerRecord& record : records) reader.take(record.partition, record.value);
    if (!reader.failure().empty()) give_up("wrong data", reader.failure());
    progress.show(reader.count());
  }
  progress.clear();
  report_rate("consumed", reader.count(), reader.bytes(), Clock::now() - start);
  std::printf(
      "checked %s records from %d partitions: none lost, none twice, all in order, every "
      "checksum right\n",
      with_commas(reader.count()).c_str(), options.partitions);
  co_await consumer.async_close(kPatience, asio::use_awaitable);
}

asio::awaitable<void> delete_topic(kafka::Admin& admin, std::string topic) {
  std::vector<std::string> topics;
  topics.push_back(topic);
  std::error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  co_await admin.async_delete_topics(topics, token);
  if (error) std::fprintf(stderr, "tern: topic %s was left behind\n", topic.c_str());
}

asio::awaitable<void> share(asio::io_context& context, kafka::Admin& admin,
                            const kafka::ClientConfig& config, const Options& options) {
  GroupDemoOptions group;
  group.topic = options.topic + "-group";
  group.partitions = Options::kGroupPartitions;
  group.group = group.topic;
  group.session_timeout = options.session_timeout;
  co_await create_topic(admin, group.topic, group.partitions);
  co_await demo_group(context, config, group);
  if (!options.keep) co_await delete_topic(admin, group.topic);
}

asio::awaitable<void> demo(asio::io_context& context, kafka::Client& client,
                           kafka::ClientConfig config, Options options) {
  kafka::Admin admin(client);
  co_await create_topic(admin, options.topic, options.partitions);
  co_await produce(client, options);
  co_await consume(client, options);
  if (!options.keep) co_await delete_topic(admin, options.topic);
  if (options.group) co_await share(context, admin, config, options);
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t comma = std::min(list.find(',', at), list.size());
    parts.push_back(list.substr(at, comma - at));
    at = comma + 1;
  }
  return parts;
}

}  // namespace

int run_demo(Arguments arguments) {
  Options options;
  options.brokers = arguments.text("--brokers", "");
  options.records = arguments.number("--records", 1'000'000, 1, 1'000'000'000);
  options.partitions = static_cast<std::int32_t>(arguments.number("--partitions", 4, 1, 10'000));
  options.topic = arguments.text("--topic", "tern-demo-" + std::to_string(std::time(nullptr)) +
                                                "-" + std::to_string(getpid()));
  options.keep = arguments.flag("--keep");
  options.group = !arguments.flag("--no-group");
  arguments.expect_none();

  std::unique_ptr<EmbeddedCluster> embedded;
  options.session_timeout = std::chrono::seconds(6);  // the least that brokers take
  if (options.brokers.empty()) {
    options.session_timeout = std::chrono::seconds(1);
    broker::ClusterConfig cluster;
    cluster.groups.min_session_timeout = options.session_timeout;
    embedded = std::make_unique<EmbeddedCluster>(1, "127.0.0.1", std::uint16_t{0}, cluster);
    options.brokers = embedded->bootstrap();
    std::printf("started an embedded broker on %s\n", options.brokers.c_str());
  }
  asio::io_context context(1);
  kafka::ClientConfig config;
  config.bootstrap = split(options.brokers);
  kafka::Client client(context, config);
  std::exception_ptr failure;
  asio::co_spawn(context, demo(context, client, config, options), [&](std::exception_ptr thrown) {
    failure = thrown;
    client.close();
  });
  context.run();
  if (failure) std::rethrow_exception(failure);
  if (embedded) demo_amqp(std::min<std::int64_t>(options.records, kAmqpMessages));
  return 0;
}

}  // namespace tern::cli

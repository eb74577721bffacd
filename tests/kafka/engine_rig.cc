#include "tests/kafka/engine_rig.h"

#include <algorithm>

namespace tern::kafka {
namespace {

std::string host_of(std::int32_t id) { return "b" + std::to_string(id); }

std::string text_of(const wire::Bytes& bytes) { return bytes.is_null() ? "<null>" : bytes.str(); }

}  // namespace

EngineRig::Node::Node(EngineRig& rig, std::int32_t id)
    : net(rig.fabric, host_of(id)), broker(rig.cluster, net, id, {host_of(id), 9092}) {
  net.attach(broker);
  EXPECT_FALSE(broker.start());
}

EngineRig::EngineRig(const Options& options)
    : world(options.seed), fabric(world, options.network), cluster(options.cluster) {
  for (int id = 1; id <= options.brokers; ++id) nodes_.emplace_back(*this, id);
  cluster.on_request([this](const broker::RequestInfo& info) {
    seen.push_back(info);
    seen.back().client_id = {};
  });
}

EngineRig::~EngineRig() {
  destroy_engine();
  for (Node& node : nodes_) node.net.crash();
  for (const std::string& what : world.violations()) ADD_FAILURE() << what;
}

Engine& EngineRig::start() {
  if (client_config.bootstrap.empty()) {
    for (const Node& node : nodes_)
      client_config.bootstrap.push_back(host_of(node.broker.id()) + ":9092");
  }
  if (client_config.seed == 0) client_config.seed = 7;
  const Failure invalid = tern::kafka::check(client_config);
  EXPECT_FALSE(invalid) << invalid.message();
  client_net_ = std::make_unique<sim::Network>(fabric, "client");
  engine_ = std::make_unique<Engine>(*client_net_, client_config, 1);
  client_net_->attach(*engine_);
  return *engine_;
}

void EngineRig::destroy_engine() {
  if (client_net_) client_net_->crash();
  engine_.reset();
  client_net_.reset();
}

bool EngineRig::run_until(const std::function<bool()>& done, Duration limit) {
  return world.run_until(
      [&] {
        if (check) check();
        return done();
      },
      limit);
}

std::size_t EngineRig::requests(const Api& api) const {
  return static_cast<std::size_t>(std::count_if(
      seen.begin(), seen.end(), [&](const auto& info) { return info.api_key == api.key; }));
}

std::vector<StoredRecord> EngineRig::stored(std::string_view topic, std::int32_t partition) {
  std::vector<StoredRecord> all;
  const broker::PartitionLog* log = cluster.log(topic, partition);
  EXPECT_NE(log, nullptr) << topic << " " << partition;
  if (!log) return all;
  EXPECT_TRUE(log->for_each_record([&](const broker::LogRecord& r) {
    StoredRecord record{
        r.offset,       r.timestamp_ms,   r.producer_id,   r.producer_epoch,  r.sequence,
        text_of(r.key), text_of(r.value), r.key.is_null(), r.value.is_null(), {}};
    for (const Header& header : r.headers)
      record.headers.emplace_back(header.key.str(), text_of(header.value));
    all.push_back(std::move(record));
  }));
  return all;
}

std::vector<std::string> EngineRig::values(std::string_view topic, std::int32_t partition) {
  std::vector<std::string> all;
  for (const StoredRecord& record : stored(topic, partition)) all.push_back(record.value);
  return all;
}

std::size_t EngineRig::batches(std::string_view topic, std::int32_t partition) {
  return cluster.log(topic, partition)->batches().size();
}

TestProducer::TestProducer(EngineRig& rig, ProducerConfig config) : rig_(rig) {
  const Failure invalid = tern::kafka::check(config, rig.client_config);
  EXPECT_FALSE(invalid) << invalid.message();
  core = std::make_shared<ProducerCore>(rig.engine(), std::move(config), 5);
  rig.engine().enter();
  core->start();
}

TestProducer::~TestProducer() {
  rig_.engine().enter();
  core->shut_down(Failure(ClientErrc::closed), rig_.engine().now());
  rig_.run_for(milliseconds(1));
}

std::error_code TestProducer::send(std::string_view topic, const Record& record, std::string tag) {
  ProducerTopic& to = core->accumulator().topic(topic);
  return core->accumulator().append(
      to, record, [this, tag = std::move(tag)](std::error_code error, const Delivery& d) {
        told.push_back({tag, error, d.cause, std::string(d.topic), d.message(), d.partition,
                        d.offset, d.timestamp_ms});
      });
}

void TestProducer::await_send(std::string_view topic, const Record& record, std::string tag,
                              std::uint64_t id) {
  rig_.engine().enter();
  core->send(
      core->accumulator().topic(topic), record,
      [this, tag = std::move(tag)](Failure why, const Delivery& d) {
        told.push_back({tag, why.code, d.cause, std::string(d.topic), why.message(), d.partition,
                        d.offset, d.timestamp_ms});
      },
      id);
}

void TestProducer::flush(std::string tag, std::uint64_t id) {
  rig_.engine().enter();
  core->flush(
      [this, tag](const Failure& why) {
        told.push_back({tag, why.code, {}, {}, why.message(), -1, -1, -1});
      },
      id);
}

void TestProducer::wait_space(std::string tag, std::uint64_t id) {
  rig_.engine().enter();
  core->wait_space(
      [this, tag](const Failure& why) {
        told.push_back({tag, why.code, {}, {}, why.message(), -1, -1, -1});
      },
      id);
}

void TestProducer::close(Duration timeout, std::string tag) {
  rig_.engine().enter();
  core->close(timeout, [this, tag](const Failure& why) {
    told.push_back({tag, why.code, {}, {}, why.message(), -1, -1, -1});
  });
}

bool TestProducer::deliver(Duration limit) {
  static int number = 0;
  const std::string tag = "deliver" + std::to_string(++number);
  flush(tag);
  const bool done = wait_for(tag, limit);
  std::erase_if(told, [&](const Told& each) { return each.tag == tag; });
  return done;
}

bool TestProducer::wait_for(std::string_view tag, Duration limit) {
  return rig_.run_until([&] { return count(tag) > 0; }, limit);
}

bool TestProducer::wait_for_count(std::size_t count, Duration limit) {
  return rig_.run_until([&] { return told.size() >= count; }, limit);
}

const Told& TestProducer::of(std::string_view tag) {
  static const Told nothing{
      "nothing", make_error_code(ClientErrc::invalid_argument), {}, {}, "nothing was told", -1, -1,
      -1};
  EXPECT_EQ(count(tag), 1U) << "told about " << tag;
  for (const Told& each : told) {
    if (each.tag == tag) return each;
  }
  return nothing;
}

std::size_t TestProducer::count(std::string_view tag) const {
  return static_cast<std::size_t>(
      std::count_if(told.begin(), told.end(), [&](const Told& each) { return each.tag == tag; }));
}

std::vector<std::string> TestProducer::tags() const {
  std::vector<std::string> all;
  for (const Told& each : told) all.push_back(each.tag);
  return all;
}

bool TestProducer::all_ok() const {
  return std::none_of(told.begin(), told.end(), [](const Told& each) { return bool(each.error); });
}

}  // namespace tern::kafka

// A whole client (producer, consumer, a question for offsets) against a broker that lies. The
// broker is the embedded one; somebody in between changes what it answers. Whatever comes, every
// operation ends once, no rule of the ports is broken, memory stays within what was configured, and
// nothing goes round in a hot loop. All in virtual time.
//
// Input: a seed for how bytes travel (1 byte; 0: all at once), errors for the broker to answer with
// (1 byte: how many; API and code, 1 byte each), then for each answer what becomes of it (1 byte),
// and the bytes that this takes. When the input is used up, answers pass unchanged.

#include <list>
#include <map>
#include <memory>
#include <string>

#include "client/kafka/consumer_core.h"
#include "client/kafka/engine.h"
#include "client/kafka/producer_core.h"
#include "fuzz/byte_link.h"
#include "fuzz/frame_edit.h"
#include "fuzz/simulated.h"
#include "fuzz/target.h"
#include "tests/broker/broker.h"
#include "tests/broker/cluster.h"
#include "tests/sim/network.h"
#include "tests/sim/world.h"

namespace tern::kafka {
namespace {

using fuzz::Input;
using fuzz::kMiB;
using fuzz::require;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kSends = 6;

// Takes connections on the name that the broker advertises, and passes on what the script lets
// pass.
class Liar final : public Machine, public Acceptor {
 public:
  Liar(sim::Fabric& fabric, Input& script) : net_(fabric, "b1"), script_(script) {
    net_.attach(*this);
    std::error_code error;
    net_.listen({"b1", 9092}, *this, error);
    require(!error, "the liar listens");
  }
  ~Liar() { net_.crash(); }

  Link* on_accept(LinkId id, const Endpoint&) override {
    Pair& pair = pairs_.emplace_back(*this);
    pair.client.id = id;
    pair.broker.id = net_.open({"real", 9092}, pair.broker);
    return &pair.client;
  }
  void step(Now) override {}
  Time next_deadline() const override { return kNever; }
  void run_completions() override {}

 private:
  struct Asked {
    std::int16_t key;
    std::int16_t version;
  };
  struct Pair;
  struct Side final : fuzz::ByteLink {
    Side(Pair& owner, bool is_client) : ByteLink(owner.liar.net_), pair(owner), client(is_client) {}
    void on_bytes() override { client ? pair.from_client() : pair.from_broker(); }
    void on_closed(Stage stage, std::error_code why, Now now) override {
      ByteLink::on_closed(stage, why, now);
      (client ? pair.broker : pair.client).close();
    }
    Pair& pair;
    const bool client;
  };
  struct Pair {
    explicit Pair(Liar& owner) : liar(owner), client(*this, true), broker(*this, false) {}

    void from_client() {
      while (auto frame = fuzz::take_frame(client.in)) {
        wire::Reader reader(fuzz::bytes_of(*frame));
        RequestHeader header;
        require(decode_request_header(reader, header), "the client sends requests");
        asked[header.correlation_id] = {header.api_key, header.api_version};
        broker.send(fuzz::sized(*frame));
      }
    }
    void from_broker() {
      while (auto frame = fuzz::take_frame(broker.in)) {
        wire::Reader reader(fuzz::bytes_of(*frame));
        const auto found = asked.find(reader.i32());
        require(found != asked.end(), "the broker answers what was asked");
        liar.answer(*this, std::move(*frame), found->second);
      }
    }

    Liar& liar;
    Side client;
    Side broker;
    std::map<std::int32_t, Asked> asked;
  };

  void answer(Pair& pair, std::string frame, Asked asked) {
    const std::size_t head = response_header_size(asked.key, asked.version);
    switch (script_.u8() % 10) {
      case 1:
      case 2:
        fuzz::patch(frame, script_);
        fuzz::reached("changed");
        break;
      case 3: {
        std::string body = frame.substr(head);
        fuzz::patch(body, script_);
        frame.replace(head, std::string::npos, body);
        if (asked.key == FetchResponse::api.key) {
          fuzz::mend_records<FetchResponse>(frame, head, asked.version);
          fuzz::reached("records changed, their checksums mended");
        }
        break;
      }
      case 4:
        frame.replace(head, std::string::npos,
                      fuzz::generated(asked.key, asked.version, Direction::response, script_));
        if (asked.key == FetchResponse::api.key) {
          fuzz::mend_records<FetchResponse>(frame, head, asked.version);
        }
        fuzz::reached("made up");
        break;
      case 5: {
        const auto bytes = script_.bytes(script_.u8());
        frame.replace(head, std::string::npos, reinterpret_cast<const char*>(bytes.data()),
                      bytes.size());
        break;
      }
      case 6: {
        const auto bytes = script_.bytes(script_.u8());
        return pair.client.send({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
      }
      case 7:
        pair.client.send(fuzz::sized(frame));
        fuzz::reached("said twice");
        break;
      case 8:
        return fuzz::reached("kept back");
      case 9:
        fuzz::reached("hung up");
        return pair.client.close();
      default:
        break;
    }
    pair.client.send(fuzz::sized(frame));
  }

  sim::Network net_;
  Input& script_;
  std::list<Pair> pairs_;
};

// The broker that does not lie, with something to read in it.
struct Honest {
  Honest(sim::Fabric& fabric, Input& input)
      : net(fabric, "real"),
        cluster({.max_frame_bytes = kMiB,
                 .max_decode_bytes = kMiB,
                 .max_fetch_bytes = kMiB,
                 .pool_bytes = 0,
                 .topic_defaults = {}}),
        broker(cluster, net, 1, {"real", 9092}, {}, "b1") {
    net.attach(broker);
    require(!broker.start(), "the broker starts");
    cluster.create_topic("t", {.partitions = 2});
    for (unsigned n = input.u8() % 4U; n != 0; --n) {
      const auto apis = broker::served_apis();
      const std::int16_t key = apis[input.u8() % apis.size()].key;
      const auto error = static_cast<BrokerErrc>(static_cast<std::int8_t>(input.u8()));
      broker::Injection injection = broker::Injection::with_error(error);
      injection.times = 2;
      cluster.inject(key, injection);
    }
  }
  ~Honest() { net.crash(); }

  sim::Network net;
  broker::KafkaCluster cluster;
  broker::KafkaBroker broker;
};

sim::FaultPlan plan(unsigned seed) {
  sim::FaultPlan plan;
  plan.read_max = seed % 16U * 60U;  // each byte alone takes long; `frames` does that
  plan.write_max = seed / 16U * 60U;
  return plan;
}

// The user of the client.
class User {
 public:
  User(sim::World& world, sim::Fabric& fabric)
      : world_(world), net_(fabric, "client"), engine_(net_, config(), 1) {
    net_.attach(engine_);
    ProducerConfig producer;
    producer.linger = milliseconds(1);
    producer.buffer_bytes = kMiB;
    producer.batch_bytes = 4096;
    producer.max_request_bytes = 65536;
    producer.delivery_timeout = seconds(4);
    producer.metadata_timeout = seconds(4);
    producer_ = std::make_shared<ProducerCore>(engine_, producer, 5);
    ConsumerConfig consumer;
    consumer.offset_reset = OffsetReset::earliest;
    consumer.isolation = Isolation::read_committed;
    consumer.fetch_max_bytes = consumer.partition_max_bytes = 65536;
    consumer.prefetch_bytes = kMiB;
    consumer.max_decompressed_batch_bytes = kMiB;
    consumer_ = std::make_shared<ConsumerCore>(engine_, consumer);
  }

  void start() {
    engine_.enter();
    producer_->start();
    consumer_->start();
    const std::vector<Assignment> assignment = {{"t", 0, Position::earliest()},
                                                {"t", 1, Position::timestamp(1)}};
    std::vector<ConsumerBoard::Gauge> gauges;
    require(!consumer_->board()->assign(assignment, gauges), "the assignment is good");
    consumer_->assign(assignment, gauges, engine_.enter());
    for (int i = 0; i < kSends; ++i) send(i);
    ++begun_;
    producer_->flush([this](const Failure&) { ++ended_; }, 1);
    ++begun_;
    const Now now = engine_.enter();
    consumer_->find_offsets(
        2, {{{"t", 0}, 5}, {{"t", 1}, kLatestTime}}, deadline_after(now.mono, seconds(5)),
        [this](const Failure& why, const OffsetsAndTimes&) {
          ++ended_;
          if (!why) fuzz::reached("offsets found");
        },
        now);
    poll();
  }
  // Closes what is there, the hard way if need be.
  void end() {
    engine_.enter();
    ++begun_;
    producer_->close(seconds(1), [this](const Failure&) { ++ended_; });
    ++begun_;
    const Now now = engine_.enter();
    closing_ = true;
    consumer_->close(
        deadline_after(now.mono, seconds(1)), [this](const Failure&) { ++ended_; }, now);
    world_.run_for(seconds(3));
    engine_.close(engine_.enter());
    world_.run_for(seconds(1));
    require(begun_ == ended_ || world_.failed(), "every operation ends once");
  }
  // After this nothing of the network calls anybody here.
  ~User() {
    producer_.reset();
    consumer_.reset();
    net_.crash();
  }

 private:
  static ClientConfig config() {
    ClientConfig config;
    config.bootstrap = {"b1:9092"};
    config.connect_timeout = config.request_timeout = seconds(2);
    config.operation_timeout = seconds(4);
    config.max_response_bytes = kMiB;
    config.seed = 7;
    return config;
  }
  void send(int number) {
    const std::string text = std::to_string(number);
    const Header header{"number", text};
    const std::string value(static_cast<std::size_t>(number) * 40, 'x');
    const Record record{
        .key = "k", .value = value, .headers = {&header, 1}, .partition = number % 2};
    Accumulator& accumulator = producer_->accumulator();
    const std::error_code error = accumulator.append(
        accumulator.topic("t"), record, [this](std::error_code why, const Delivery& delivery) {
          ++ended_;
          require(!why || delivery.cause || !delivery.message().empty(), "a failure has a reason");
          fuzz::reached(why ? "not delivered" : "delivered");
        });
    if (!error) ++begun_;
  }
  // Again and again, as long as there is time.
  void poll() {
    if (closing_ || ++polls_ > 60) return;
    ++begun_;
    consumer_->poll(3, deadline_after(engine_.enter().mono, seconds(1)),
                    [this](const Failure& why, Records records) {
                      ++ended_;
                      read(records);
                      kept_ = std::move(records);  // gives the former ones back
                      if (why) fuzz::reached("a poll that tells of trouble");
                      net_.user_acted();
                      if (!engine_.is_closed()) poll();
                    });
  }
  static void read(const Records& records) {
    std::uint64_t sum = 0;
    for (const ConsumerRecord& record : records) {
      for (const char c : record.key.view()) sum += static_cast<unsigned char>(c);
      for (const char c : record.value.view()) sum += static_cast<unsigned char>(c);
      for (const Header& header : record.headers) sum += header.key.size() + header.value.size();
      fuzz::reached("records read");
    }
    static volatile std::uint64_t kept = 0;  // so that no read is optimised away
    kept = kept + sum;
  }

  sim::World& world_;
  sim::Network net_;
  Engine engine_;
  std::shared_ptr<ProducerCore> producer_;
  std::shared_ptr<ConsumerCore> consumer_;
  Records kept_;
  int begun_ = 0;
  int ended_ = 0;
  int polls_ = 0;
  bool closing_ = false;
};

void run(Input input) {
  const unsigned travel = input.u8();
  sim::World world(1 + travel);
  {
    sim::Fabric fabric(world, plan(travel));
    Honest honest(fabric, input);
    Liar liar(fabric, input);
    User user(world, fabric);
    user.start();
    world.run_for(seconds(8));
    user.end();
  }
  fuzz::require_rules_kept(world);
}

}  // namespace
}  // namespace tern::kafka

std::vector<std::string> tern::fuzz::milestones() {
  return {"changed",      "records changed, their checksums mended",
          "made up",      "said twice",
          "kept back",    "hung up",
          "delivered",    "not delivered",
          "records read", "a poll that tells of trouble",
          "offsets found"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return tern::fuzz::run_within_memory(tern::kafka::run, data, size);
}

// The embedded broker fed by a client that sends anything: every whole answer decodes as what was
// asked for, no rule of the ports is broken, memory stays within what was configured. All in
// virtual time.
//
// Input: how bytes travel (1 byte; 0: all at once), then what the client does, one after the other
// (1 byte each: 0 a request frame behind its length, 1 bytes behind theirs, 2 a request made up
// from API, version and seed, 3 wait, 4 hang up and connect anew, 5 and above as 0). Correlation
// ids are counted and checksums mended by the target.

#include <list>
#include <map>
#include <memory>
#include <string>

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

constexpr int kMaxActions = 64;

class HostileClient final : public Machine {
 public:
  explicit HostileClient(sim::Fabric& fabric) : net_(fabric, "client") {
    net_.attach(*this);
    connect();
  }
  ~HostileClient() { net_.crash(); }
  void step(Now) override {}
  Time next_deadline() const override { return kNever; }
  void run_completions() override {}

  void connect() {
    if (!links_.empty()) links_.back().close();
    links_.emplace_back(*this);
    links_.back().id = net_.open({"b1", 9092}, links_.back());
  }
  void send_raw(std::string_view bytes) { links_.back().send(bytes); }
  // A frame that has a header gets the next correlation id.
  void send_frame(std::string frame) {
    constexpr std::size_t kIdAt = 4;
    wire::Reader reader(fuzz::bytes_of(frame));
    RequestHeader header;
    if (decode_request_header(reader, header)) {
      const std::int32_t id = ++last_id_;
      wire::store_be(reinterpret_cast<std::byte*>(frame.data()) + kIdAt, id);
      asked_[id] = header;
      asked_[id].client_id = Text::null();
      if (header.api_key == ProduceRequest::api.key) {
        fuzz::mend_records<ProduceRequest>(frame, reader.position(), header.api_version);
      }
    }
    links_.back().send(fuzz::sized(frame));
  }

 private:
  struct Side final : fuzz::ByteLink {
    explicit Side(HostileClient& owner) : ByteLink(owner.net_), client(owner) {}
    void on_bytes() override {
      while (auto frame = fuzz::take_frame(in)) client.on_answer(*frame);
    }
    HostileClient& client;
  };

  void on_answer(const std::string& frame) {
    wire::Reader reader(fuzz::bytes_of(frame));
    const auto found = asked_.find(reader.i32());
    if (found == asked_.end()) return;  // to bytes that were not sent as a frame
    const RequestHeader& header = found->second;
    require(with_message(header.api_key, Direction::response,
                         [&]<class M>() { check<M>(reader, header, frame.size()); }),
            "an API that is not known is not answered");
  }
  template <class M>
  void check(wire::Reader& reader, const RequestHeader& header, std::size_t size) {
    wire::Arena arena(wire::Arena::limit_for(size));
    M answer;
    std::int16_t version = header.api_version;
    if (!M::api.versions.contains(version)) version = 0;  // ApiVersions only, error 35
    require(skip_response_header_tags(reader, header.api_key, version), "a header is whole");
    bool read = false;
    if constexpr (std::same_as<M, ApiVersionsResponse>) {
      read = decode_api_versions_response(reader, version, arena, answer);
    } else {
      read = decode(reader, version, arena, answer);
    }
    require(read && reader.expect_end(), "an answer is what was asked for");
    if (fuzz::milestones_wanted()) fuzz::reached(std::string("answered ") + M::api.name);
    if constexpr (std::same_as<M, FetchResponse>) {
      for (const auto& topic : answer.responses) {
        for (const auto& partition : topic.partitions) {
          if (!partition.records.empty()) fuzz::reached("records fetched");
        }
      }
    }
  }

  sim::Network net_;
  std::list<Side> links_;
  std::map<std::int32_t, RequestHeader> asked_;
  std::int32_t last_id_ = 0;
};

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string made_up(Input& input) {
  const auto apis = broker::served_apis();
  const Api& api = apis[input.u8() % apis.size()];
  const auto version = static_cast<std::int16_t>(input.u8() % (api.versions.max + 1));
  const RequestHeader header{api.key, version, 0, Text("fuzz")};
  std::string frame(request_header_size(header), '\0');
  wire::Writer writer(std::as_writable_bytes(std::span(frame)));
  encode_request_header(header, writer);
  return frame + fuzz::generated(api.key, version, Direction::request, input);
}

void play(Input& input, sim::World& world, HostileClient& client) {
  for (int i = 0; i < kMaxActions && !input.empty() && !world.failed(); ++i) {
    switch (input.u8()) {
      case 1:
        client.send_raw(text_of(input.bytes(input.u16())));
        break;
      case 2:
        client.send_frame(made_up(input));
        break;
      case 3:
        world.run_for(milliseconds(input.u8() * 10));
        break;
      case 4:
        client.connect();
        break;
      default:
        client.send_frame(text_of(input.bytes(input.u16())));
        break;
    }
    world.run_for(milliseconds(1));
  }
  world.run_for(seconds(2));
}

void run(Input input) {
  const unsigned travel = input.u8();
  sim::FaultPlan plan;
  plan.read_max = travel % 16U * 5U;
  plan.write_max = travel / 16U * 5U;
  sim::World world(1 + travel);
  {
    sim::Fabric fabric(world, plan);
    sim::Network net(fabric, "b1");
    broker::KafkaCluster cluster({.max_frame_bytes = kMiB,
                                  .max_decode_bytes = kMiB,
                                  .max_fetch_bytes = kMiB,
                                  .pool_bytes = 0,
                                  .max_partitions = 1000,
                                  .topic_defaults = {}});
    broker::KafkaBroker broker(cluster, net, 1, {"b1", 9092});
    net.attach(broker);
    require(!broker.start(), "the broker starts");
    cluster.create_topic("golden", {.partitions = 2});
    HostileClient client(fabric);
    play(input, world, client);
    if (cluster.log("golden", 0) && !cluster.log("golden", 0)->batches().empty()) {
      fuzz::reached("records stored");
    }
    net.crash();
  }
  fuzz::require_rules_kept(world);
}

}  // namespace
}  // namespace tern::kafka

std::vector<std::string> tern::fuzz::milestones() {
  std::vector<std::string> all = {"records stored", "records fetched"};
  for (const kafka::Api& api : broker::served_apis()) {
    all.push_back(std::string("answered ") + api.name);
  }
  return all;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return tern::fuzz::run_within_memory(tern::kafka::run, data, size);
}

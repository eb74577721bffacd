// A whole AMQP connection, fed with anything behind a handshake that is as it should be, twice: in
// reads as large as it takes them, and in small ones of random size. Both tell the same: the same
// deliveries, the same answers, the same error, each operation ended once. Memory follows the bytes
// that come, not those announced. Afterwards the same engine connects again, and works.
//
// Input: a seed for the small reads (8 bytes), how much of the handshake goes before (1 byte), then
// what the broker says.

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/amqp/engine.h"
#include "fuzz/memory.h"
#include "fuzz/still_network.h"
#include "fuzz/target.h"
#include "protocol/amqp/frame.h"
#include "protocol/amqp/methods/all.h"
#include "protocol/wire/random.h"

namespace tern::amqp {
namespace {

using fuzz::require;
using fuzz::StillNetwork;

constexpr std::uint32_t kMaxMethod = 65'536;
constexpr std::uint64_t kMaxBody = std::uint64_t{1} << 40;  // so that memory is what is looked at

template <class M>
void add(std::vector<std::byte>& out, std::uint16_t channel, const M& message) {
  const auto size = encoded_size(message);
  const std::size_t at = out.size();
  out.resize(at + *size + kFrameOverheadBytes);
  wire::Writer writer(std::span<std::byte>(out).subspan(at));
  encode_frame(FrameType::method, channel, message, *size, writer);
}

// What a good broker says until a channel is open and a consumer is there; one part for each step.
std::vector<std::vector<std::byte>> good_start() {
  std::vector<std::vector<std::byte>> parts(8);
  add(parts[0], 0, ConnectionStart{.mechanisms = "PLAIN", .locales = "en_US"});
  add(parts[1], 0, ConnectionTune{2047, 8192, 0});
  add(parts[2], 0, ConnectionOpenOk());
  add(parts[3], 1, ChannelOpenOk());
  add(parts[4], 1, ConfirmSelectOk());
  add(parts[5], 1, QueueDeclareOk{"q", 1, 2});
  add(parts[6], 1, BasicQosOk());
  add(parts[7], 1, BasicConsumeOk{"t"});
  return parts;
}

class Bench {
 public:
  Bench() : engine_(network_, config()) {
    engine_.on_lost([this](const Failure& why) { told.push_back("lost: " + why.message()); });
    engine_.on_blocked([this](bool blocked, std::string_view reason) {
      told.push_back((blocked ? "blocked: " : "unblocked") + std::string(reason));
    });
  }
  ~Bench() { hang_up(); }

  // Everything that a program may want of it at once.
  void start() {
    connect();
    channel_ = engine_.open_channel();
    note_call(QueueDeclare{.queue = "q"});
    note_call(BasicQos{0, 10, false});
    ++asked;
    channel_->consume({.queue = "q", .consumer_tag = "t"},
                      [this](const Failure& why, const std::shared_ptr<ConsumerCore>& given) {
                        ++ended;
                        told.push_back("consume: " + why.message());
                        consumer_ = given;
                      });
    note_call(BasicGet{"q", false});
    note_call(QueuePurge{.queue = "q"});
  }
  void connect() {
    ++asked;
    engine_.connect([this](const Failure& why) {
      ++ended;
      told.push_back("connected: " + why.message());
    });
    network_.link->on_open(network_.time);
    settle();
  }
  // `random` null: reads as large as they may be.
  void feed(std::span<const std::byte> bytes, wire::Random* random) {
    while (!bytes.empty() && network_.link != nullptr) {
      const std::span<std::byte> space = network_.link->read_space();
      require(!space.empty(), "there is always room to read into");
      std::size_t n = std::min(space.size(), bytes.size());
      if (random != nullptr) n = std::min(n, 1 + random->below(random->one_in(4) ? 300 : 7));
      std::memcpy(space.data(), bytes.data(), n);
      bytes = bytes.subspan(n);
      network_.link->on_read(n, network_.time);
      if (network_.closing) end(std::errc::operation_canceled);
    }
    settle();
  }
  void publish() {
    if (!channel_ || channel_->state() != ChannelCore::State::open) return;
    for (const bool mandatory : {false, true}) {
      ++asked;
      const Failure refused = channel_->publish({.routing_key = "q", .mandatory = mandatory},
                                                {.body = "m"}, [this](const Failure& why) {
                                                  ++ended;
                                                  told.push_back("published: " + why.message());
                                                });
      require(!refused, "an open channel takes messages");
    }
  }
  // Takes what has been delivered.
  void take() {
    if (!consumer_) return;
    for (bool more = true; more;) {
      more = false;
      ++asked;
      consumer_->next([&](const Failure& why, const Delivered& delivered) {
        ++ended;
        more = !why;
        told.push_back("delivered: " + why.message() + " " + delivered.body().str() +
                       delivered.routing_key.str() + print(delivered.properties()));
        if (more) fuzz::reached(delivered.body().size() > 8192 ? "a large body" : "a delivery");
      });
      engine_.run_completions();
      if (!more && consumer_->stop_waiting(ClientErrc::timed_out)) engine_.run_completions();
    }
  }
  void hang_up() {
    end(std::errc::connection_aborted);
    settle();
    network_.time.mono += std::chrono::hours(1);
    settle();
    end(std::errc::operation_canceled);
    settle();
  }
  bool is_open() const { return network_.link != nullptr; }

  std::vector<std::string> told;
  int asked = 0;
  int ended = 0;

 private:
  static ConnectionConfig config() {
    ConnectionConfig config;
    config.hosts = {{"peer", 5672}};
    config.heartbeat = Duration::zero();
    config.recover = false;
    config.max_method_bytes = kMaxMethod;
    config.max_body_bytes = kMaxBody;
    return config;
  }
  template <class M>
  void note_call(const M& method) {
    ++asked;
    channel_->call(method, [this](const Failure& why, const Reply& reply) {
      ++ended;
      told.push_back(std::string(M::method.name) + ": " + why.message() + " " +
                     (reply.content ? reply.content->body.str() : std::string()));
    });
  }
  void settle() {
    engine_.enter();
    engine_.step(network_.time);
    engine_.run_completions();
    while (network_.link != nullptr) {
      if (network_.closing) {
        end(std::errc::operation_canceled);
        break;
      }
      BufferList list;
      network_.link->gather(list);
      if (list.bytes() == 0) break;
      network_.link->on_written(list.bytes(), network_.time);
    }
    engine_.step(network_.time);
    engine_.run_completions();
  }
  void end(std::errc why) {
    network_.closing = false;
    Link* const link = std::exchange(network_.link, nullptr);
    if (link != nullptr) link->on_closed(Stage::tcp, std::make_error_code(why), network_.time);
  }

  StillNetwork network_;
  Engine engine_;
  std::shared_ptr<ChannelCore> channel_;
  std::shared_ptr<ConsumerCore> consumer_;
};

// Says `good` of a good start, then `bytes`; what the program was told.
std::vector<std::string> say(std::size_t good, std::span<const std::byte> bytes,
                             wire::Random* random) {
  static const std::vector<std::vector<std::byte>> parts = good_start();
  Bench bench;
  bench.start();
  for (std::size_t i = 0; i < std::min(good, parts.size()); ++i) bench.feed(parts[i], random);
  bench.publish();
  bench.feed(bytes, random);
  const bool survived = bench.is_open();
  bench.take();
  bench.hang_up();
  bench.take();
  require(bench.asked == bench.ended, "each operation ends, once");
  const std::vector<std::string> told = bench.told;
  for (const std::string& each : told) {
    if (each.find("out of turn") != std::string::npos) fuzz::reached("out of turn");
    if (each.find("closed channel") != std::string::npos) fuzz::reached("a channel closed");
    if (each.find("closed the connection") != std::string::npos) fuzz::reached("closed");
    if (each.starts_with("published: returned")) fuzz::reached("a return");
    if (each == "published: Success") fuzz::reached("a confirm");
    if (each.find("cancelled the consumer") != std::string::npos) fuzz::reached("cancelled");
  }
  if (survived && good >= parts.size()) fuzz::reached("survived");
  // Who is there instead of a broker is guessed from the bytes that are there at that moment.
  std::vector<std::string> same = told;
  for (std::string& each : same) {
    for (const char* guess :
         {"an HTTP server", "the answer is none of AMQP", "the peer speaks TLS", "an SSH server"}) {
      if (const auto at = each.find(guess); at != std::string::npos) each.erase(at);
    }
  }
  // And once more, as if nothing had been.
  bench.told.clear();
  bench.connect();
  for (std::size_t i = 0; i < 3; ++i) bench.feed(parts[i], random);
  require(bench.told == std::vector<std::string>{"connected: Success"}, "it connects again");
  return same;
}

void run(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint64_t seed = input.u64();
  const std::size_t good = input.u8() % 9;
  const std::span<const std::byte> bytes = input.rest();
  // Buffers to read into and to write from, and what is believed of one announced body.
  constexpr std::size_t kFixed = std::size_t{3} << 20;
  constexpr std::size_t kPerByte = 16;
  std::vector<std::string> whole;
  {
    const fuzz::MemoryScope memory;
    whole = say(good, bytes, nullptr);
    require(memory.peak() <= kFixed + kPerByte * size, "memory follows what comes");
  }
  wire::Random random(seed);
  require(say(good, bytes, &random) == whole, "the same however it is cut");
}

}  // namespace
}  // namespace tern::amqp

std::vector<std::string> tern::fuzz::milestones() {
  return {"a delivery", "a large body", "out of turn", "a channel closed", "closed",
          "a return",   "a confirm",    "cancelled",   "survived"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tern::amqp::run(data, size);
  return 0;
}

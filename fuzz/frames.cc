// Connection, fed with anything, twice: in reads as large as it takes them, and in small ones of
// random size. Both end the same way: the same answers in the same calls, the same error, each call
// ended once. Memory follows the bytes that come, not those announced; and after an error the same
// connection opens again and works.
//
// Input: a seed for the small reads (8 bytes), what the calls are like (1 byte: two bits for each
// of three), then parts of the stream, each behind its length (2 bytes). Requests are written, and
// steps made, between the parts.

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "client/kafka/connection.h"
#include "client/kafka/engine.h"
#include "fuzz/memory.h"
#include "fuzz/still_network.h"
#include "fuzz/target.h"
#include "protocol/kafka/generate.h"
#include "protocol/kafka/messages/api_versions.h"
#include "protocol/kafka/messages/metadata.h"

namespace tern::kafka {
namespace {

using fuzz::require;
using fuzz::StillNetwork;

constexpr std::size_t kMaxResponse = 100'000;
constexpr std::size_t kLargeAnswer = std::size_t{256} * 1024;  // what a call may say it expects
constexpr int kCalls = 3;

// How a call ended; the answer's bytes are copied, so that a span too long is noticed.
struct Ending {
  int endings = 0;
  std::string text;
  bool kept = false;
  friend bool operator==(const Ending&, const Ending&) = default;
};

class NotingCall final : public Call {
 public:
  NotingCall(Ending& ending, FramePool* pool, std::size_t expected)
      : ending_(ending), pool_(pool), expected_(expected) {}
  const Api& api() const override { return MetadataRequest::api; }
  Failure encode(std::int16_t version, std::int32_t correlation_id, const std::string& client_id,
                 Outgoing& out) override {
    return encode_request(MetadataRequest(), version, correlation_id, client_id, out);
  }
  std::size_t expected_response_bytes() const override { return expected_; }
  FramePool* frame_pool() override { return pool_; }
  void on_response(const Response& response, Now) override {
    require(pool_ == nullptr || response.frame, "an answer that is to be kept has a frame");
    ending_.text =
        "answer v" + std::to_string(response.version) + " " +
        std::string(reinterpret_cast<const char*>(response.body.data()), response.body.size());
    fuzz::reached(!response.frame              ? "an answer for the moment"
                  : response.body.size() < 400 ? "an answer copied to a frame"
                                               : "an answer read into a frame");
    end();
  }
  void on_failure(const Failure& why, bool, Now) override {
    require(static_cast<bool>(why), "a failure has a reason");
    ending_.text = why.message();
    end();
  }
  void on_abandoned() override {
    ending_.text = "abandoned";
    end();
  }

 private:
  void end() {
    ++ending_.endings;
    delete this;
  }
  Ending& ending_;
  FramePool* pool_;
  const std::size_t expected_;
};

using Parts = std::vector<std::span<const std::byte>>;

// An engine with one connection that is fed by hand.
class Bench {
 public:
  Bench() : engine_(network_, config(), 1), connection_(engine_, 1, {"peer", 9092}, Role::fetch) {}

  void send(Ending& ending, unsigned kind) {
    connection_.send(*new NotingCall(ending, (kind & 1U) != 0 ? &pool_ : nullptr,
                                     (kind & 2U) != 0 ? kLargeAnswer : 512));
  }
  // Connects if it is time to, makes a step, writes what there is.
  void settle() {
    step();
    if (network_.opened != connected_) {
      connected_ = network_.opened;
      written_.clear();
      network_.link->on_open(network_.time);
    }
    step();
    write();
  }
  // `random` null: reads as large as they may be.
  void feed(std::span<const std::byte> bytes, Random* random) {
    while (!bytes.empty() && network_.link != nullptr) {
      const std::span<std::byte> space = network_.link->read_space();
      require(!space.empty(), "there is always room to read into");
      std::size_t n = std::min(space.size(), bytes.size());
      if (random != nullptr) n = std::min(n, 1 + random->below(random->one_in(4) ? 300 : 7));
      std::memcpy(space.data(), bytes.data(), n);
      bytes = bytes.subspan(n);
      network_.link->on_read(n, network_.time);
      if (network_.closing) end(Stage::protocol, std::errc::operation_canceled);
    }
  }
  struct Asked {
    std::int16_t key;
    std::int16_t version;
    std::int32_t correlation_id;
  };
  // What has been written since the last call, or since the connection was opened.
  std::vector<Asked> take_asked() {
    std::vector<Asked> all;
    const std::string written = std::exchange(written_, {});
    wire::Reader reader(std::as_bytes(std::span(written)));
    while (reader.remaining() != 0) {
      const std::int32_t size = reader.i32();
      Asked asked{reader.i16(), reader.i16(), reader.i32()};
      reader.skip(static_cast<std::size_t>(size) - 8);
      require(reader.ok(), "whole requests are written");
      all.push_back(asked);
    }
    return all;
  }
  void hang_up() { end(Stage::tcp, std::errc::connection_aborted); }
  void wait(Duration time) { network_.time.mono += time; }
  bool is_open() const { return network_.link != nullptr; }

 private:
  static ClientConfig config() {
    return {.bootstrap = {"peer:9092"}, .max_response_bytes = kMaxResponse, .seed = 1};
  }
  void step() {
    engine_.step(network_.time);
    engine_.run_completions();
    if (network_.closing) end(Stage::protocol, std::errc::operation_canceled);
  }
  void write() {
    while (network_.link != nullptr) {
      BufferList list;
      network_.link->gather(list);
      if (list.bytes() == 0) return;
      for (const BufferList::Piece& piece : list.pieces()) {
        written_.append(static_cast<const char*>(piece.data), piece.size);
      }
      network_.link->on_written(list.bytes(), network_.time);
    }
  }
  void end(Stage stage, std::errc why) {
    network_.closing = false;
    Link* const link = std::exchange(network_.link, nullptr);
    if (link != nullptr) link->on_closed(stage, std::make_error_code(why), network_.time);
  }

  StillNetwork network_;
  FramePool pool_{0};
  Engine engine_;
  Connection connection_;
  std::uint32_t connected_ = 0;
  std::string written_;
};

// An answer to Metadata, without a body.
std::vector<std::byte> answer(std::int32_t correlation_id, std::int16_t version) {
  const std::size_t head = response_header_size(MetadataRequest::api.key, version);
  std::vector<std::byte> bytes(4 + head);
  wire::Writer writer(bytes);
  writer.i32(static_cast<std::int32_t>(head));
  encode_response_header(MetadataRequest::api.key, version, correlation_id, writer);
  return bytes;
}

// An answer to ApiVersions: Metadata and ApiVersions, nothing else.
std::vector<std::byte> handshake(std::int32_t correlation_id, std::int16_t version) {
  const ApiVersionsResponse::ApiVersion keys[] = {{3, 0, 13}, {18, 0, 4}};
  ApiVersionsResponse reply;
  reply.api_keys = {keys, 2};
  const auto size = encoded_size(reply, version);
  std::vector<std::byte> bytes(8 + size->total);
  wire::Writer writer(bytes);
  writer.i32(static_cast<std::int32_t>(4 + size->total));
  writer.i32(correlation_id);
  encode(reply, version, writer);
  return bytes;
}

// Whatever happened before: opened again, with right answers, the connection works.
void require_it_works(Bench& bench) {
  bench.hang_up();
  Ending ending;
  bench.send(ending, 0);
  bench.wait(std::chrono::seconds(2));
  bench.settle();
  require(bench.is_open(), "a connection that failed is opened again");
  for (int round = 0; round < 3 && ending.endings == 0; ++round) {
    for (const Bench::Asked& asked : bench.take_asked()) {
      if (asked.key == ApiVersionsRequest::api.key) {
        bench.feed(handshake(asked.correlation_id, asked.version), nullptr);
      } else {
        bench.feed(answer(asked.correlation_id, asked.version), nullptr);
      }
    }
    bench.settle();
  }
  require(ending.text.starts_with("answer v"), "and works");
}

std::vector<Ending> play(const Parts& parts, unsigned kinds, Random* random) {
  std::vector<Ending> endings(kCalls);
  {
    Bench bench;
    for (unsigned i = 0; i < kCalls; ++i) bench.send(endings[i], kinds >> (2 * i) & 3U);
    bench.settle();
    for (const auto& part : parts) {
      bench.feed(part, random);
      bench.settle();
    }
    bench.hang_up();
    require_it_works(bench);
  }
  for (const Ending& ending : endings) require(ending.endings == 1, "each call ends once");
  return endings;
}

void note(const std::vector<Ending>& endings) {
  constexpr std::pair<const char*, const char*> kSigns[] = {
      {"a frame too large", "was announced"},
      {"a wrong correlation id", "an answer with correlation id"},
      {"an answer before its request", "answered before it was sent"},
      {"a handshake that is none", "this is not a Kafka broker's port"},
      {"another protocol", "an HTTP server answered"},
      {"the peer hangs up", "tcp"},
      {"a broker without the API", "does not know it"},
  };
  for (const Ending& ending : endings) {
    for (const auto& [milestone, sign] : kSigns) {
      if (ending.text.find(sign) != std::string::npos) fuzz::reached(milestone);
    }
    if (ending.text.starts_with("answer v")) fuzz::reached("an answer");
    if (ending.text.starts_with("answer v1 ")) fuzz::reached("an answer after a fall-back");
  }
}

}  // namespace
}  // namespace tern::kafka

std::vector<std::string> tern::fuzz::milestones() {
  return {"an answer",
          "an answer after a fall-back",
          "an answer for the moment",
          "an answer copied to a frame",
          "an answer read into a frame",
          "a frame too large",
          "a wrong correlation id",
          "an answer before its request",
          "a handshake that is none",
          "another protocol",
          "the peer hangs up",
          "a broker without the API"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tern;
  using namespace tern::kafka;
  // Engine, connection, two buffers of 16 KiB, and what was asked for by the calls.
  constexpr std::size_t kFixed = std::size_t{256} * 1024 + kLargeAnswer;
  fuzz::Input input(data, size);
  tern::kafka::Random random(input.u64());
  const unsigned kinds = input.u8();
  Parts parts;
  while (!input.empty() && parts.size() < 16) parts.push_back(input.bytes(input.u16()));
  const fuzz::MemoryScope memory;
  const std::vector<Ending> whole = play(parts, kinds, nullptr);
  const std::vector<Ending> pieces = play(parts, kinds, &random);
  fuzz::require(memory.peak() <= kFixed + 16 * size, "memory follows the bytes that come");
  fuzz::require(whole == pieces, "how bytes are cut changes nothing");
  if (fuzz::milestones_wanted()) note(whole);
  return 0;
}

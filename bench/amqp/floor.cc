// The floor of bench/compare amqp: the least code that does the job. One blocking socket, one
// channel; no client at all.
//
//   floor --do publish --broker HOST:PORT --records N --size BYTES --window MESSAGES
//   floor --do consume --broker HOST:PORT --records N --size BYTES --prefetch MESSAGES
//
// Publishing: every message is encoded with one copy of its body (a large body stays where it is),
// half a window in one write, and then the confirms are read until half a window is free.
// Consuming: every field of every message is read where it lies (a large body is put together), and
// one multiple ack said for half a prefetch.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "bench/amqp/wire.h"
#include "bench/measure.h"

namespace tern::bench::amqp {
namespace {

constexpr std::uint16_t kChannel = 1;
constexpr std::string_view kQueue = "bench";
constexpr std::string_view kTag = "floor";
constexpr std::size_t kLarge = 16 * 1024;  // bodies that are not copied

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "floor: %s\n", what);
  std::exit(1);
}

struct Frame {
  std::uint8_t type = 0;
  const char* payload = nullptr;
  std::size_t size = 0;
};

// Frames out of a socket: whole ones, where they lie in a buffer.
class FrameReader {
 public:
  explicit FrameReader(BlockingSocket& socket) : socket_(socket), buffer_(256 * 1024) {}

  bool next(Frame& frame) {
    if (end_ - begin_ < kFrameHead) return false;
    const char* const p = buffer_.data() + begin_;
    const std::size_t size = get<std::uint32_t>(p + 3);
    if (end_ - begin_ < kFrameHead + size + 1) return false;
    if (p[kFrameHead + size] != kFrameEnd) fail("a frame that does not end");
    frame = {get<std::uint8_t>(p), p + kFrameHead, size};
    begin_ += kFrameHead + size + 1;
    return true;
  }
  void more() {
    if (begin_ > 0) std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    end_ += socket_.read_some(buffer_.data() + end_, buffer_.size() - end_);
  }
  const char* wait_method(std::uint32_t id) {
    Frame frame;
    while (!next(frame)) more();
    if (frame.type != kMethod || get<std::uint32_t>(frame.payload) != id) {
      fail("another method than expected");
    }
    return frame.payload + 4;
  }
  // Exactly `size` bytes, of which some may be in the buffer.
  void take(char* to, std::size_t size) {
    const std::size_t here = std::min(size, end_ - begin_);
    std::memcpy(to, buffer_.data() + begin_, here);
    begin_ += here;
    if (size > here) socket_.read_all(to + here, size - here);
  }

 private:
  BlockingSocket& socket_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0, end_ = 0;
};

class Floor {
 public:
  explicit Floor(const std::string& broker) : socket_(broker), in_(socket_), out_(64 * 1024) {
    socket_.write_all(kGreeting.data(), kGreeting.size());
    in_.wait_method(kStart);
    send(0, kStartOk, [](char* p) {
      p = put_short(put(p, std::uint32_t{0}), "PLAIN");
      return put_short(put_long(p, {"\0guest\0guest", 12}), "en_US");
    });
    const char* const tune = in_.wait_method(kTune);
    frame_max_ = get<std::uint32_t>(tune + 2);
    send(0, kTuneOk, [tune](char* p) {
      std::memcpy(p, tune, 8);
      return p + 8;
    });
    send(0, kOpen, [](char* p) {
      p = put_short(put_short(p, "/"), "");
      *p++ = 0;
      return p;
    });
    in_.wait_method(kOpenOk);
    send(kChannel, kChannelOpen, [](char* p) { return put_short(p, ""); });
    in_.wait_method(kChannelOpenOk);
  }

  void select_confirms() {
    send(kChannel, kConfirmSelect, [](char* p) {
      *p++ = 0;
      return p;
    });
    in_.wait_method(kConfirmSelectOk);
  }
  void start_consuming(std::uint16_t prefetch) {
    send(kChannel, kQos, [prefetch](char* p) {
      p = put(put(p, std::uint32_t{0}), prefetch);
      *p++ = 0;
      return p;
    });
    in_.wait_method(kQosOk);
    send(kChannel, kConsume, [](char* p) {
      p = put_short(put_short(put(p, std::uint16_t{0}), kQueue), kTag);
      *p++ = 0;
      return put(p, std::uint32_t{0});
    });
    in_.wait_method(kConsumeOk);
  }
  void publish(std::int64_t messages, std::size_t size, std::int64_t window);
  void consume(std::int64_t messages, std::int64_t prefetch);
  void consume_large(std::int64_t messages, std::size_t size, std::int64_t prefetch);

  std::int64_t syscalls() const { return socket_.syscalls(); }
  std::uint64_t sum() const { return sum_; }

 private:
  template <class Fill>
  void send(std::uint16_t channel, std::uint32_t id, Fill fill) {
    char* const end = put_method(out_.data(), channel, id, fill);
    socket_.write_all(out_.data(), static_cast<std::size_t>(end - out_.data()));
  }
  char* put_publish(char* p, std::size_t size) {
    p = put_method(p, kChannel, kPublish, [](char* q) {
      q = put_short(put_short(put(q, std::uint16_t{0}), ""), kQueue);
      *q++ = 0;
      return q;
    });
    return put_content_header(p, kChannel, size);
  }
  void put_small(std::int64_t count, std::int64_t from, std::size_t size, const Payloads& payloads);
  void put_large(std::string_view body);
  void await_confirms(std::int64_t upto);
  std::uint64_t on_deliver(const char* p);
  void ack(std::uint64_t tag);

  BlockingSocket socket_;
  FrameReader in_;
  std::vector<char> out_;
  std::vector<iovec> pieces_;
  std::uint32_t frame_max_ = 0;
  std::int64_t confirmed_ = 0;
  std::uint64_t sum_ = 0;
};

void Floor::put_small(std::int64_t count, std::int64_t from, std::size_t size,
                      const Payloads& payloads) {
  char* p = out_.data();
  for (std::int64_t i = from; i < from + count; ++i) {
    p = begin_frame(put_publish(p, size), kBody, kChannel, size);
    p = copy_bytes(p, payloads[static_cast<std::uint64_t>(i)].data(), size);
    *p++ = kFrameEnd;
  }
  socket_.write_all(out_.data(), static_cast<std::size_t>(p - out_.data()));
}

void Floor::put_large(std::string_view body) {
  char* at = out_.data();
  char* p = put_publish(at, body.size());
  pieces_.clear();
  for (std::string_view left = body; !left.empty();) {
    const std::string_view now = left.substr(0, frame_max_ - 8);
    p = begin_frame(p, kBody, kChannel, now.size());
    pieces_.push_back({at, static_cast<std::size_t>(p - at)});
    pieces_.push_back({const_cast<char*>(now.data()), now.size()});
    at = p;
    *p++ = kFrameEnd;
    left.remove_prefix(now.size());
  }
  pieces_.push_back({at, static_cast<std::size_t>(p - at)});
  socket_.write_all(pieces_.data(), pieces_.size());
}

void Floor::await_confirms(std::int64_t upto) {
  Frame frame;
  while (confirmed_ < upto) {
    while (!in_.next(frame)) in_.more();
    if (frame.type == kHeartbeat) continue;
    if (frame.type != kMethod || get<std::uint32_t>(frame.payload) != kAck) fail("no ack");
    const auto tag = static_cast<std::int64_t>(get<std::uint64_t>(frame.payload + 4));
    confirmed_ = frame.payload[12] != 0 ? std::max(confirmed_, tag) : confirmed_ + 1;
  }
}

void Floor::publish(std::int64_t messages, std::size_t size, std::int64_t window) {
  const Payloads payloads(size);
  const std::int64_t half = std::max<std::int64_t>(1, window / 2);
  if (size < kLarge) out_.resize(static_cast<std::size_t>(half) * (size + 128));
  for (std::int64_t sent = 0; sent < messages;) {
    const std::int64_t count = std::min(half, messages - sent);
    if (size < kLarge) {
      put_small(count, sent, size, payloads);
    } else {
      for (std::int64_t i = 0; i < count; ++i) {
        put_large(payloads[static_cast<std::uint64_t>(sent + i)]);
      }
    }
    sent += count;
    await_confirms(sent == messages ? messages : sent - half);
  }
}

// Returns the tag.
std::uint64_t Floor::on_deliver(const char* p) {
  if (get<std::uint32_t>(p) != kDeliver) fail("no delivery");
  p += 4;
  p += 1 + static_cast<unsigned char>(*p);  // whose it is
  const auto tag = get<std::uint64_t>(p);
  const bool redelivered = p[8] != 0;
  p += 9;
  const auto exchange = static_cast<unsigned char>(*p);
  p += 1 + exchange;
  sum_ += tag + redelivered + exchange + static_cast<unsigned char>(*p);
  return tag;
}

void Floor::ack(std::uint64_t tag) {
  char frame[32];
  char* const end = put_ack(frame, kChannel, tag);
  socket_.write_all(frame, static_cast<std::size_t>(end - frame));
}

void Floor::consume(std::int64_t messages, std::int64_t prefetch) {
  const auto half = static_cast<std::uint64_t>(std::max<std::int64_t>(1, prefetch / 2));
  std::uint64_t tag = 0;
  std::uint64_t acked = 0;
  Frame frame;
  while (tag < static_cast<std::uint64_t>(messages)) {
    while (!in_.next(frame)) in_.more();
    if (frame.type == kHeartbeat) continue;
    if (frame.type != kMethod) fail("no delivery");
    const std::uint64_t now = on_deliver(frame.payload);
    while (!in_.next(frame)) in_.more();
    if (frame.type != kHeader) fail("no content header");
    const auto size = get<std::uint64_t>(frame.payload + 4);
    sum_ += get<std::uint16_t>(frame.payload + 12);
    while (!in_.next(frame)) in_.more();
    if (frame.type != kBody || frame.size != size) fail("no body, or not all of it");
    sum_ += static_cast<unsigned char>(frame.payload[size - 1]);
    tag = now;
    if (tag - acked >= half) ack(acked = tag);
  }
  if (acked != tag) ack(tag);
}

void Floor::consume_large(std::int64_t messages, std::size_t size, std::int64_t prefetch) {
  const auto half = static_cast<std::uint64_t>(std::max<std::int64_t>(1, prefetch / 2));
  std::vector<char> body(size);
  // A delivery of a known consumer, key and size always begins with as many bytes.
  const std::size_t deliver = kFrameHead + 4 + 1 + kTag.size() + 9 + 1 + 1 + kQueue.size() + 1;
  const std::size_t head = deliver + kFrameHead + 14 + 1 + kFrameHead;
  std::vector<char> heads(head);
  std::uint64_t tag = 0;
  std::uint64_t acked = 0;
  while (tag < static_cast<std::uint64_t>(messages)) {
    in_.take(heads.data(), head);
    tag = on_deliver(heads.data() + kFrameHead);
    if (get<std::uint64_t>(heads.data() + deliver + kFrameHead + 4) != size) fail("another size");
    char frame[1 + kFrameHead];
    std::memcpy(frame + 1, heads.data() + head - kFrameHead, kFrameHead);
    for (std::size_t at = 0; at < size;) {
      const std::size_t piece = get<std::uint32_t>(frame + 4);
      if (frame[1] != kBody || piece > size - at) fail("no body, or too much of it");
      in_.take(body.data() + at, piece);
      at += piece;
      in_.take(frame, at < size ? sizeof frame : 1);
      if (frame[0] != kFrameEnd) fail("a frame that does not end");
    }
    sum_ += static_cast<unsigned char>(body[size - 1]);
    if (tag - acked >= half) ack(acked = tag);
  }
  if (acked != tag) ack(tag);
}

}  // namespace
}  // namespace tern::bench::amqp

int main(int argc, char** argv) {
  using namespace tern::bench;
  using namespace tern::bench::amqp;
  Options options(argc, argv);
  const std::string broker = options.text("--broker", "127.0.0.1:5672");
  const std::string what = options.text("--do", "publish");
  const std::int64_t messages = options.number("--records", 1'000'000);
  const auto size = static_cast<std::size_t>(options.number("--size", 100));
  const std::int64_t window = options.number("--window", 1000);
  const std::int64_t prefetch = options.number("--prefetch", 1000);
  options.done();

  Floor floor(broker);
  if (what == "publish") {
    floor.select_confirms();
  } else {
    floor.start_consuming(static_cast<std::uint16_t>(prefetch));
  }
  const std::int64_t before = floor.syscalls();
  const Clock from = Clock::read();
  if (what == "publish") {
    floor.publish(messages, size, window);
  } else if (size < kLarge) {
    floor.consume(messages, prefetch);
  } else {
    floor.consume_large(messages, size, prefetch);
  }
  report("floor", messages, from, Clock::read(), floor.syscalls() - before);
  std::fprintf(stderr, "checksum %llx\n", static_cast<unsigned long long>(floor.sum()));
  return 0;
}

// An AMQP 0-9-1 broker that does almost nothing, for measuring clients: it confirms what is
// published without keeping a byte, one multiple ack for all that one read has brought, and
// delivers from messages made in advance, up to the prefetch. One blocking thread per connection,
// loopback only. Independent of the library.
//
//   null_broker [--port P (0: any)] [--size BYTES] [--limit MESSAGES] [--frame-max BYTES]
//
// Prints "port P" once it listens. Every queue exists and holds --limit messages (0: endless) of
// --size bytes for each consumer. On SIGTERM it prints, as one JSON line, what it received, so that
// a client that sent less than it claims is seen. A frame that it does not understand is a fault,
// and the end of the connection.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string_view>
#include <vector>

#include "bench/amqp/wire.h"
#include "bench/measure.h"
#include "bench/serve.h"

namespace tern::bench::amqp {
namespace {

struct Settings {
  std::uint16_t port = 0;
  std::size_t size = 100;
  std::int64_t limit = 0;
  std::uint32_t frame_max = 131'072;
};

Settings settings;
std::atomic<std::int64_t> published{0}, published_bytes{0}, publish_reads{0}, delivered{0},
    ack_frames{0}, acked{0}, faults{0};

std::string_view get_short(const char* at) { return {at + 1, static_cast<unsigned char>(*at)}; }

// Messages as they are delivered, one behind the other, but for the delivery tags.
class Deliveries {
 public:
  Deliveries(std::uint16_t channel, std::string_view consumer, std::uint32_t frame_max) {
    const Payloads payloads(settings.size);
    std::size_t count = payloads.count();
    while (count * (settings.size + 100) < 192 * 1024) count *= 2;
    const std::size_t piece = frame_max - 8;
    bytes_.resize(count * (settings.size + (settings.size / piece + 1) * 8 + 400));
    char* at = bytes_.data();
    for (std::size_t i = 0; i < count; ++i) {
      begins_.push_back(static_cast<std::size_t>(at - bytes_.data()));
      at = put_method(at, channel, kDeliver, [&](char* p) {
        p = put_short(p, consumer);
        tag_at_ = static_cast<std::size_t>(p - bytes_.data()) - begins_.back();
        p = put(p, std::uint64_t{0});
        *p++ = 0;  // not redelivered
        return put_short(put_short(p, ""), "bench");
      });
      at = put_content_header(at, channel, settings.size);
      for (std::string_view left = payloads[i]; !left.empty();) {
        const std::string_view now = left.substr(0, piece);
        at = begin_frame(at, kBody, channel, now.size());
        std::memcpy(at, now.data(), now.size());
        at += now.size();
        *at++ = kFrameEnd;
        left.remove_prefix(now.size());
      }
    }
    begins_.push_back(static_cast<std::size_t>(at - bytes_.data()));
  }

  // Sends `count` of them, the first one with `tag`.
  bool send(int fd, std::uint64_t tag, std::size_t count) {
    while (count > 0) {
      const std::size_t here = std::min(count, begins_.size() - 1 - next_);
      for (std::size_t i = next_; i < next_ + here; ++i) {
        put(bytes_.data() + begins_[i] + tag_at_, tag++);
      }
      const char* at = bytes_.data() + begins_[next_];
      std::size_t left = begins_[next_ + here] - begins_[next_];
      while (left > 0) {
        const ssize_t n = ::send(fd, at, left, 0);
        if (n <= 0) return false;
        at += n;
        left -= static_cast<std::size_t>(n);
      }
      count -= here;
      next_ = (next_ + here) % (begins_.size() - 1);
    }
    return true;
  }

 private:
  std::vector<char> bytes_;
  std::vector<std::size_t> begins_;
  std::size_t tag_at_ = 0;  // in a message
  std::size_t next_ = 0;
};

class Connection {
 public:
  explicit Connection(int fd) : fd_(fd), in_(256 * 1024), out_(64 * 1024) {}
  ~Connection() { close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void serve() {
    while (read() && take_frames() && flush()) {
    }
  }

 private:
  bool read();
  bool take_frames();
  bool on_frame(std::uint8_t type, std::uint16_t channel, const char* p, std::size_t size);
  bool on_method(std::uint16_t channel, std::uint32_t id, const char* p);
  void on_ack(std::uint64_t tag, bool multiple);
  bool flush();
  bool deliver();
  bool fault(const char* what) {
    std::fprintf(stderr, "null_broker: %s\n", what);
    ++faults;
    return false;
  }
  template <class... Fill>
  bool answer(std::uint16_t channel, std::uint32_t id, Fill... fill) {
    out_end_ = put_method(out_end_, channel, id, fill...);
    return true;
  }
  bool greet();

  const int fd_;
  std::vector<char> in_;
  std::size_t begin_ = 0, end_ = 0;
  std::size_t skip_ = 0;  // of a body that has not come yet, its end octet included
  std::vector<char> out_;
  char* out_end_ = out_.data();
  bool greeted_ = false;
  bool over_ = false;
  // One channel publishes and one consumes, at most.
  std::uint16_t publishing_ = 0;
  bool confirms_ = false;
  std::uint64_t received_ = 0, confirmed_ = 0;
  std::uint64_t body_left_ = 0;
  std::uint32_t frame_max_ = settings.frame_max;
  std::int64_t prefetch_ = 0;
  std::unique_ptr<Deliveries> deliveries_;
  std::int64_t sent_ = 0, settled_ = 0;
};

bool Connection::read() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (begin_ > 0) {
    std::memmove(in_.data(), in_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == in_.size()) return fault("a method that is too long");
  const ssize_t n = recv(fd_, in_.data() + end_, in_.size() - end_, 0);
  if (n <= 0) return false;
  end_ += static_cast<std::size_t>(n);
  return true;
}

bool Connection::greet() {
  if (end_ - begin_ < kGreeting.size()) return true;
  if (std::string_view(in_.data() + begin_, kGreeting.size()) != kGreeting) {
    return fault("another protocol");
  }
  begin_ += kGreeting.size();
  greeted_ = true;
  return answer(0, kStart, [](char* p) {
    *p++ = 0;
    *p++ = 9;
    const char capability[] =
        "\x12publisher_confirmst\x01\x0a"
        "basic.nackt\x01";
    p = put(p, static_cast<std::uint32_t>(1 + 12 + 1 + 4 + sizeof capability - 1));
    p = put_short(p, "capabilities");
    *p++ = 'F';
    p = put_long(p, {capability, sizeof capability - 1});
    return put_long(put_long(p, "PLAIN AMQPLAIN"), "en_US");
  });
}

bool Connection::take_frames() {
  if (!greeted_ && !greet()) return false;
  while (greeted_) {
    const std::size_t skipped = std::min(skip_, end_ - begin_);
    skip_ -= skipped;
    begin_ += skipped;
    if (end_ - begin_ < kFrameHead) return true;
    const char* const p = in_.data() + begin_;
    const auto type = get<std::uint8_t>(p);
    const auto channel = get<std::uint16_t>(p + 1);
    const std::size_t size = get<std::uint32_t>(p + 3);
    if (type == kBody) {
      if (channel != publishing_ || size > body_left_) return fault("a body that is too long");
      body_left_ -= size;
      received_ += body_left_ == 0;
      published_bytes += static_cast<std::int64_t>(size);
      begin_ += kFrameHead;
      skip_ = size + 1;
      continue;
    }
    if (end_ - begin_ < kFrameHead + size + 1) return true;
    if (p[kFrameHead + size] != kFrameEnd) return fault("a frame that does not end");
    begin_ += kFrameHead + size + 1;
    if (!on_frame(type, channel, p + kFrameHead, size)) return false;
  }
  return true;
}

bool Connection::on_frame(std::uint8_t type, std::uint16_t channel, const char* p,
                          std::size_t size) {
  switch (type) {
    case kMethod:
      return size >= 4 && on_method(channel, get<std::uint32_t>(p), p + 4);
    case kHeader:
      body_left_ = get<std::uint64_t>(p + 4);
      received_ += body_left_ == 0;
      return true;
    case kHeartbeat:
      return true;
    default:
      return fault("a frame of another type");
  }
}

bool Connection::on_method(std::uint16_t channel, std::uint32_t id, const char* p) {
  const auto empty_short = [](char* at) { return put_short(at, ""); };
  switch (id) {
    case kPublish:
      publishing_ = channel;
      return true;
    case kAck:
      on_ack(get<std::uint64_t>(p), p[8] != 0);
      return true;
    case kStartOk:
      return answer(0, kTune, [](char* at) {
        return put(put(put(at, std::uint16_t{2047}), settings.frame_max), std::uint16_t{60});
      });
    case kTuneOk:
      frame_max_ = get<std::uint32_t>(p + 2);
      return true;
    case kOpen:
      return answer(0, kOpenOk, empty_short);
    case kClose:
      over_ = true;
      return answer(0, kCloseOk);
    case kChannelOpen:
      return answer(channel, kChannelOpenOk, [](char* at) { return put_long(at, ""); });
    case kChannelClose:
      return answer(channel, kChannelCloseOk);
    case kConfirmSelect:
      confirms_ = true;
      return answer(channel, kConfirmSelectOk);
    case kQueueDeclare:
      return answer(channel, kQueueDeclareOk, [p](char* at) {
        at = put_short(at, get_short(p + 2));
        return put(put(at, std::uint32_t{0}), std::uint32_t{0});
      });
    case kQos:
      prefetch_ = get<std::uint16_t>(p + 4);
      return answer(channel, kQosOk);
    case kConsume: {
      const std::string_view queue = get_short(p + 2);
      std::string_view tag = get_short(p + 2 + 1 + queue.size());
      if (tag.empty()) tag = "bench";
      if (prefetch_ == 0) return fault("a consumer without a prefetch");
      deliveries_ = std::make_unique<Deliveries>(channel, tag, frame_max_);
      return answer(channel, kConsumeOk, [tag](char* at) { return put_short(at, tag); });
    }
    case kCancel:
      deliveries_.reset();
      return answer(channel, kCancelOk, [p](char* at) { return put_short(at, get_short(p)); });
    default:
      return fault("a method that is not known");
  }
}

void Connection::on_ack(std::uint64_t tag, bool multiple) {
  const auto before = settled_;
  settled_ = multiple ? std::max(settled_, static_cast<std::int64_t>(tag)) : settled_ + 1;
  ++ack_frames;
  acked += settled_ - before;
}

// Says what there is to say for what one read has brought.
bool Connection::flush() {
  if (received_ > confirmed_) {
    published += static_cast<std::int64_t>(received_ - confirmed_);
    ++publish_reads;
    confirmed_ = received_;
    if (confirms_) out_end_ = put_ack(out_end_, publishing_, confirmed_);
  }
  for (const char* at = out_.data(); at < out_end_;) {
    const ssize_t n = send(fd_, at, static_cast<std::size_t>(out_end_ - at), 0);
    if (n <= 0) return false;
    at += n;
  }
  out_end_ = out_.data();
  return !over_ && deliver();
}

bool Connection::deliver() {
  if (!deliveries_) return true;
  std::int64_t room = prefetch_ - (sent_ - settled_);
  if (settings.limit != 0) room = std::min(room, settings.limit - sent_);
  if (room <= 0) return true;
  if (!deliveries_->send(fd_, static_cast<std::uint64_t>(sent_) + 1,
                         static_cast<std::size_t>(room))) {
    return false;
  }
  sent_ += room;
  delivered += room;
  return true;
}

void print_totals() {
  const Clock used = Clock::read();
  std::printf(
      "{\"published\":%lld,\"published_bytes\":%lld,\"publish_reads\":%lld,\"delivered\":%lld,"
      "\"ack_frames\":%lld,\"acked\":%lld,\"faults\":%lld,\"cpu_s\":%.3f}\n",
      static_cast<long long>(published), static_cast<long long>(published_bytes),
      static_cast<long long>(publish_reads), static_cast<long long>(delivered),
      static_cast<long long>(ack_frames), static_cast<long long>(acked),
      static_cast<long long>(faults), used.user_s + used.sys_s);
  std::fflush(stdout);
}

}  // namespace
}  // namespace tern::bench::amqp

int main(int argc, char** argv) {
  using namespace tern::bench;
  using namespace tern::bench::amqp;
  Options options(argc, argv);
  settings.port = static_cast<std::uint16_t>(options.number("--port", 0));
  settings.size = static_cast<std::size_t>(options.number("--size", 100));
  settings.limit = options.number("--limit", 0);
  settings.frame_max = static_cast<std::uint32_t>(options.number("--frame-max", 131'072));
  options.done();
  if (settings.size < 1 || settings.frame_max < 4096) {
    std::fprintf(stderr, "--size must be at least 1, --frame-max at least 4096\n");
    return 2;
  }
  serve_until_stopped(settings.port, [](int fd) { std::make_unique<Connection>(fd)->serve(); });
  print_totals();
  _exit(faults.load() == 0 ? 0 : 1);
}

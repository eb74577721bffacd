#include "bench/amqp/null_peer.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "bench/measure.h"

namespace tern::bench::amqp {
namespace {

std::string_view get_short(const char* at) { return {at + 1, static_cast<unsigned char>(*at)}; }

}  // namespace

// Messages as they are delivered, one behind the other, but for the delivery tags.
class NullPeer::Deliveries {
 public:
  Deliveries(const Settings& settings, std::uint16_t channel, std::string_view consumer,
             std::uint32_t frame_max) {
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
  bool send(NullPeer::Io& io, std::uint64_t tag, std::size_t count) {
    while (count > 0) {
      const std::size_t here = std::min(count, begins_.size() - 1 - next_);
      for (std::size_t i = next_; i < next_ + here; ++i) {
        put(bytes_.data() + begins_[i] + tag_at_, tag++);
      }
      const std::size_t size = begins_[next_ + here] - begins_[next_];
      if (!io.send(bytes_.data() + begins_[next_], size)) return false;
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

NullPeer::NullPeer(const Settings& settings, Totals& totals, Io& io)
    : settings_(settings),
      totals_(totals),
      io_(io),
      in_(256 * 1024),
      out_(64 * 1024),
      frame_max_(settings.frame_max) {}
NullPeer::~NullPeer() = default;

std::span<char> NullPeer::space() {
  std::memmove(in_.data(), in_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  return std::span<char>(in_).subspan(end_);
}

bool NullPeer::added(std::size_t n) {
  end_ += n;
  if (!take_frames()) return false;
  if (begin_ == 0 && end_ == in_.size()) return fault("a method that is too long");
  return flush();
}

bool NullPeer::greet() {
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

bool NullPeer::take_frames() {
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
      totals_.published_bytes += static_cast<std::int64_t>(size);
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

bool NullPeer::on_frame(std::uint8_t type, std::uint16_t channel, const char* p, std::size_t size) {
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

bool NullPeer::on_method(std::uint16_t channel, std::uint32_t id, const char* p) {
  const auto empty_short = [](char* at) { return put_short(at, ""); };
  switch (id) {
    case kPublish:
      publishing_ = channel;
      return true;
    case kAck:
      on_ack(get<std::uint64_t>(p), p[8] != 0);
      return true;
    case kStartOk:
      return answer(0, kTune, [this](char* at) {
        return put(put(put(at, std::uint16_t{2047}), settings_.frame_max), std::uint16_t{60});
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
      deliveries_ = std::make_unique<Deliveries>(settings_, channel, tag, frame_max_);
      return answer(channel, kConsumeOk, [tag](char* at) { return put_short(at, tag); });
    }
    case kCancel:
      deliveries_.reset();
      return answer(channel, kCancelOk, [p](char* at) { return put_short(at, get_short(p)); });
    default:
      return fault("a method that is not known");
  }
}

void NullPeer::on_ack(std::uint64_t tag, bool multiple) {
  const auto before = settled_;
  settled_ = multiple ? std::max(settled_, static_cast<std::int64_t>(tag)) : settled_ + 1;
  ++totals_.ack_frames;
  totals_.acked += settled_ - before;
}

// Says what there is to say for what one read has brought.
bool NullPeer::flush() {
  if (received_ > confirmed_) {
    totals_.published += static_cast<std::int64_t>(received_ - confirmed_);
    ++totals_.publish_reads;
    confirmed_ = received_;
    if (confirms_) out_end_ = put_ack(out_end_, publishing_, confirmed_);
  }
  const auto size = static_cast<std::size_t>(out_end_ - out_.data());
  if (size != 0 && !io_.send(out_.data(), size)) return false;
  out_end_ = out_.data();
  return !over_ && deliver();
}

bool NullPeer::deliver() {
  if (!deliveries_) return true;
  std::int64_t room = prefetch_ - (sent_ - settled_);
  if (settings_.limit != 0) room = std::min(room, settings_.limit - sent_);
  if (room <= 0) return true;
  if (!deliveries_->send(io_, static_cast<std::uint64_t>(sent_) + 1,
                         static_cast<std::size_t>(room))) {
    return false;
  }
  sent_ += room;
  totals_.delivered += room;
  return true;
}

}  // namespace tern::bench::amqp

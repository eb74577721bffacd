// The few pieces of AMQP 0-9-1 that the measuring programs need. It shares nothing with the library
// on purpose: an instrument must not inherit the errors of what it measures. Unchecked on the
// writing side.
#ifndef TERN_BENCH_AMQP_WIRE_H_
#define TERN_BENCH_AMQP_WIRE_H_

#include <cstdint>
#include <cstring>
#include <string_view>

#include "bench/wire.h"

namespace tern::bench::amqp {

inline constexpr std::size_t kFrameHead = 7;
inline constexpr char kFrameEnd = '\xce';
inline constexpr std::uint8_t kMethod = 1, kHeader = 2, kBody = 3, kHeartbeat = 8;
inline constexpr std::string_view kGreeting{"AMQP\0\0\x09\x01", 8};

constexpr std::uint32_t method(std::uint16_t type, std::uint16_t id) {
  return static_cast<std::uint32_t>(type) << 16 | id;
}
inline constexpr std::uint32_t kStart = method(10, 10), kStartOk = method(10, 11),
                               kTune = method(10, 30), kTuneOk = method(10, 31),
                               kOpen = method(10, 40), kOpenOk = method(10, 41),
                               kClose = method(10, 50), kCloseOk = method(10, 51);
inline constexpr std::uint32_t kChannelOpen = method(20, 10), kChannelOpenOk = method(20, 11),
                               kChannelClose = method(20, 40), kChannelCloseOk = method(20, 41);
inline constexpr std::uint32_t kQueueDeclare = method(50, 10), kQueueDeclareOk = method(50, 11);
inline constexpr std::uint32_t kQos = method(60, 10), kQosOk = method(60, 11),
                               kConsume = method(60, 20), kConsumeOk = method(60, 21),
                               kCancel = method(60, 30), kCancelOk = method(60, 31),
                               kPublish = method(60, 40), kDeliver = method(60, 60),
                               kAck = method(60, 80);
inline constexpr std::uint32_t kConfirmSelect = method(85, 10), kConfirmSelectOk = method(85, 11);

inline char* put_short(char* at, std::string_view text) {
  *at++ = static_cast<char>(text.size());
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}
inline char* put_long(char* at, std::string_view text) {
  at = put(at, static_cast<std::uint32_t>(text.size()));
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

inline char* begin_frame(char* at, std::uint8_t type, std::uint16_t channel, std::size_t size) {
  at = put(put(at, type), channel);
  return put(at, static_cast<std::uint32_t>(size));
}

// A method in a frame; `fill(at)` writes its arguments and returns their end.
template <class Fill>
inline char* put_method(char* at, std::uint16_t channel, std::uint32_t id, Fill fill) {
  char* const begin = at + kFrameHead;
  char* end = fill(put(begin, id));
  begin_frame(at, kMethod, channel, static_cast<std::size_t>(end - begin));
  *end++ = kFrameEnd;
  return end;
}
inline char* put_method(char* at, std::uint16_t channel, std::uint32_t id) {
  return put_method(at, channel, id, [](char* p) { return p; });
}

inline char* put_content_header(char* at, std::uint16_t channel, std::size_t body_size) {
  at = begin_frame(at, kHeader, channel, 14);
  at = put(put(at, std::uint16_t{60}), std::uint16_t{0});
  at = put(at, static_cast<std::uint64_t>(body_size));
  at = put(at, std::uint16_t{0});  // no properties
  *at++ = kFrameEnd;
  return at;
}

inline char* put_ack(char* at, std::uint16_t channel, std::uint64_t tag) {
  return put_method(at, channel, kAck, [tag](char* p) {
    p = put(p, tag);
    *p++ = 1;  // multiple
    return p;
  });
}

}  // namespace tern::bench::amqp

#endif  // TERN_BENCH_AMQP_WIRE_H_

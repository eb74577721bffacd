// Changes to frames on their way, by targets that sit between a client and a broker.
#ifndef TERN_FUZZ_FRAME_EDIT_H_
#define TERN_FUZZ_FRAME_EDIT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fuzz/slow_records.h"
#include "fuzz/target.h"
#include "protocol/kafka/generate.h"
#include "protocol/kafka/messages/all.h"

namespace tern::fuzz {

// Cuts the first frame off `in`, without its size; nothing if it is not all there.
inline std::optional<std::string> take_frame(std::string& in) {
  if (in.size() < 4) return std::nullopt;
  const auto size = wire::load_be<std::uint32_t>(reinterpret_cast<const std::byte*>(in.data()));
  if (in.size() - 4 < size) return std::nullopt;
  std::string frame = in.substr(4, size);
  in.erase(0, 4 + std::size_t{size});
  return frame;
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// A few bytes changed, as the input says.
inline void patch(std::string& frame, Input& input) {
  for (unsigned n = 1 + input.u8() % 4U; n != 0 && !frame.empty(); --n) {
    const std::size_t at = input.u16() % frame.size();
    frame[at] = static_cast<char>(frame[at] ^ static_cast<char>(input.u8()));
  }
}

namespace internal {

inline void mend(const wire::Records& records) {
  if (records.empty()) return;
  // They lie in a string of ours.
  mend_checksums({reinterpret_cast<std::byte*>(const_cast<char*>(records.data())), records.size()});
}

}  // namespace internal

// Puts right the checksums of all records in the body of a Produce request or a Fetch response that
// begins at `at`, if it can be decoded.
template <class M>
void mend_records(std::string& frame, std::size_t at, std::int16_t version) {
  wire::Reader reader(bytes_of(frame).subspan(at));
  wire::Arena arena(wire::Arena::limit_for(frame.size()));
  M message;
  if (!kafka::decode(reader, version, arena, message)) return;
  if constexpr (kafka::is_request<M>) {
    for (const auto& topic : message.topic_data) {
      for (const auto& partition : topic.partition_data) internal::mend(partition.records);
    }
  } else {
    for (const auto& topic : message.responses) {
      for (const auto& partition : topic.partitions) internal::mend(partition.records);
    }
  }
}

// The body of any message of that API, as its generator makes it from a seed of the input.
inline std::string generated(std::int16_t key, std::int16_t version, kafka::Direction direction,
                             Input& input) {
  std::string body;
  kafka::with_message(key, direction, [&]<class M>() {
    if (!M::api.versions.contains(version)) return;
    kafka::Random random(input.u64());
    wire::Arena arena(1 << 20);
    const M message = kafka::generate<M>(random, version, arena, {.max_array = 3, .max_text = 40});
    const auto size = kafka::encoded_size(message, version);
    if (!size) return;
    body.resize(size->total);
    wire::Writer writer(std::as_writable_bytes(std::span(body)));
    kafka::encode(message, version, writer);
  });
  return body;
}

}  // namespace tern::fuzz

#endif  // TERN_FUZZ_FRAME_EDIT_H_

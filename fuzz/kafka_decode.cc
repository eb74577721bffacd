// Frames of any Kafka API and version, headers included: what is decoded encodes to bytes that
// decode to the same message, whatever is cut off makes it an error, and memory stays within what
// the input may cost.
//
// Input: 0 and a request frame, or 1, key, version and a response frame (both without the size); or
// 2, which one, and something that members of a group embed in such a frame, with its version.

#include <algorithm>
#include <vector>

#include "fuzz/memory.h"
#include "fuzz/target.h"
#include "protocol/kafka/messages/all.h"

namespace tern::kafka {
namespace {

using fuzz::require;

constexpr wire::Errc kErrors[] = {
    wire::Errc::end_of_input,        wire::Errc::bad_length, wire::Errc::bad_count,
    wire::Errc::bad_varint,          wire::Errc::bad_tag,    wire::Errc::null_not_allowed,
    wire::Errc::unsupported_version,
};
constexpr std::int16_t kLater = 0x7fff;  // a version that nobody knows

template <class M>
std::string title(std::int16_t version) {
  return message_name<M>() + (version == kLater ? " later" : " v" + std::to_string(version));
}

std::string title(wire::Errc code) { return "error: " + wire::make_error_code(code).message(); }

// The header and the body of one frame.
template <class M>
struct Decoded {
  wire::Reader reader;
  wire::Arena arena{std::size_t{1} << 40};  // so that only the decoder itself holds back
  RequestHeader header;
  M message;
  bool ok = false;

  Decoded(std::span<const std::byte> frame, std::int16_t version) : reader(frame) {
    std::int32_t correlation_id = 0;
    if constexpr (is_request<M>) {
      ok = decode_request_header(reader, header);
    } else {
      ok = decode_response_header(reader, M::api.key, version, correlation_id);
      header.correlation_id = correlation_id;
    }
    ok = ok && decode(reader, version, arena, message);
    require(ok == reader.ok(), "decode() says what the reader says");
  }
};

// Empty if it cannot be encoded again.
template <class M>
std::vector<std::byte> encode_again(const RequestHeader& header, const M& message,
                                    std::int16_t version) {
  const auto size = encoded_size(message, version);
  if (!size) {
    // Records fields and the like may hold more than an int32 in all; nothing else is refused.
    require(size.error() == wire::Errc::too_large, "what was decoded can be encoded");
    return {};
  }
  const std::size_t head =
      is_request<M> ? request_header_size(header) : response_header_size(M::api.key, version);
  std::vector<std::byte> bytes(head + size->total);
  wire::Writer writer(bytes);
  if constexpr (is_request<M>) {
    encode_request_header(header, writer);
  } else {
    encode_response_header(M::api.key, version, header.correlation_id, writer);
  }
  require(writer.position() == head, "the size of a header is exact");
  encode(message, version, writer);
  require(writer.position() == bytes.size(), "encoded_size() is exact");
  return bytes;
}

// All prefixes of a short frame, and a sample of those of a long one.
template <class M>
void require_prefixes_fail(std::span<const std::byte> frame, std::int16_t version) {
  constexpr std::size_t kSample = 64;
  const std::size_t step = std::max<std::size_t>(1, frame.size() / kSample);
  for (std::size_t n = frame.size() % step; n < frame.size(); n += step) {
    const std::vector<std::byte> prefix(frame.begin(),
                                        frame.begin() + static_cast<std::ptrdiff_t>(n));
    require(!Decoded<M>(prefix, version).ok, "no part of a message is a message");
  }
}

template <class M>
void run(std::span<const std::byte> frame, std::int16_t version) {
  const fuzz::MemoryScope memory;
  const Decoded<M> first(frame, version);
  require(memory.peak() <= wire::Arena::limit_for(frame.size()), "memory is bounded");
  if (!first.ok) {
    require(first.reader.error().offset <= frame.size(), "an error is inside the input");
    if (fuzz::milestones_wanted()) fuzz::reached(title(first.reader.error().code));
    return;
  }
  require(!print(first.message, version).empty(), "every message can be printed");
  require_prefixes_fail<M>(frame.first(first.reader.position()), version);

  const std::vector<std::byte> bytes = encode_again(first.header, first.message, version);
  if (bytes.empty()) return;
  const Decoded<M> second(bytes, version);
  require(second.ok, "what was encoded can be decoded");
  require(second.reader.remaining() == 0, "decode() reads all that encode() wrote");
  require(first.header == second.header, "a header stays the same");
  require(first.message == second.message, "a message stays the same");
  require(encode_again(second.header, second.message, version) == bytes,
          "there is one way to encode a message");
  if (fuzz::milestones_wanted() && first.reader.remaining() == 0) {
    fuzz::reached(title<M>(version));
  }
}

// The same for what is embedded, which is written in its newest version only.
template <class M>
struct Unpacked {
  wire::Reader reader;
  wire::Arena arena{std::size_t{1} << 40};
  M message;
  bool ok = false;

  explicit Unpacked(std::span<const std::byte> bytes) : reader(bytes) {
    ok = decode_embedded(reader, arena, message);
    require(ok == reader.ok(), "decode_embedded() says what the reader says");
  }
};

template <class M>
void run_embedded(std::span<const std::byte> bytes) {
  const fuzz::MemoryScope memory;
  const Unpacked<M> first(bytes);
  require(memory.peak() <= wire::Arena::limit_for(bytes.size()), "memory is bounded");
  if (!first.ok) {
    require(first.reader.error().offset <= bytes.size(), "an error is inside the input");
    if (fuzz::milestones_wanted()) fuzz::reached(title(first.reader.error().code));
    return;
  }
  for (std::size_t n = 0; n < first.reader.position(); n += 1 + n / 32) {
    const std::vector<std::byte> prefix(bytes.begin(),
                                        bytes.begin() + static_cast<std::ptrdiff_t>(n));
    require(!Unpacked<M>(prefix).ok, "no part of a message is a message");
  }
  const auto size = embedded_size(first.message);
  require(size.has_value(), "what was decoded can be encoded");
  std::vector<std::byte> again(*size);
  wire::Writer writer(again);
  encode_embedded(first.message, writer);
  require(writer.position() == again.size(), "embedded_size() is exact");
  const Unpacked<M> second(again);
  require(second.ok && second.reader.remaining() == 0, "what was encoded can be decoded");
  require(first.message == second.message, "a message stays the same");
  if (!fuzz::milestones_wanted()) return;
  const auto version = wire::load_be<std::uint16_t>(bytes.data());
  const bool known = version <= static_cast<unsigned>(M::api.versions.max);
  fuzz::reached(title<M>(known ? static_cast<std::int16_t>(version) : kLater));
}

void run_any_embedded(std::size_t which, std::span<const std::byte> bytes) {
  std::size_t index = 0;
  AllEmbedded::for_each([&]<class M>() {
    if (index++ == which) run_embedded<M>(bytes);
  });
}

void run_any(std::int16_t key, std::int16_t version, Direction direction,
             std::span<const std::byte> frame) {
  with_message(key, direction, [&]<class M>() {
    if (M::api.versions.contains(version)) run<M>(frame, version);
  });
}

}  // namespace
}  // namespace tern::kafka

std::vector<std::string> tern::fuzz::milestones() {
  std::vector<std::string> all;
  kafka::AllMessages::for_each([&]<class M>() {
    for (std::int16_t v = M::api.versions.min; v <= M::api.versions.max; ++v) {
      all.push_back(kafka::title<M>(v));
    }
  });
  kafka::AllEmbedded::for_each([&]<class M>() {
    for (std::int16_t v = M::api.versions.min; v <= M::api.versions.max; ++v) {
      all.push_back(kafka::title<M>(v));
    }
    all.push_back(kafka::title<M>(kafka::kLater));
  });
  for (const wire::Errc code : kafka::kErrors) all.push_back(kafka::title(code));
  return all;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tern::kafka;
  tern::fuzz::Input input(data, size);
  const unsigned kind = input.u8();
  if (kind == 2) {
    const std::size_t which = input.u8();
    run_any_embedded(which, input.rest());
  } else if (kind % 2 == 0) {
    tern::wire::Reader reader(input.rest());
    RequestHeader header;
    if (decode_request_header(reader, header)) {
      run_any(header.api_key, header.api_version, Direction::request, input.rest());
    }
  } else {
    const std::int16_t key = input.u8();
    const std::int16_t version = input.u8();
    run_any(key, version, Direction::response, input.rest());
  }
  return 0;
}

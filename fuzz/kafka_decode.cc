// Frames of any Kafka API and version, headers included: what is decoded encodes to bytes that
// decode to the same message, and memory stays within what the input may cost.
//
// Input: 0 and a request frame, or 1, key, version and a response frame (both without the size).

#include <vector>

#include "fuzz/target.h"
#include "protocol/kafka/messages/all.h"

namespace tern::kafka {
namespace {

using fuzz::require;

template <class M>
std::vector<std::byte> encode_again(const M& message, std::int16_t version) {
  const auto size = encoded_size(message, version);
  if (!size) {
    // Strings above 32,767 bytes can be read where lengths are compact, but are not written.
    require(size.error() == wire::Errc::too_large, "what was decoded can be encoded");
    return {};
  }
  std::vector<std::byte> bytes(size->total);
  wire::Writer writer(bytes);
  encode(message, version, writer);
  require(writer.position() == size->total, "encoded_size() is exact");
  return bytes;
}

template <class M>
void run(wire::Reader& reader, std::int16_t version, std::size_t input_bytes) {
  wire::Arena arena(std::size_t{1} << 40);
  M message;
  const bool ok = decode(reader, version, arena, message);
  require(arena.reserved_bytes() <= wire::Arena::limit_for(input_bytes), "memory is bounded");
  require(ok == reader.ok(), "decode() says what the reader says");
  if (!ok) return;
  require(!print(message, version).empty(), "every message can be printed");
  const std::vector<std::byte> bytes = encode_again(message, version);
  if (bytes.empty()) return;
  wire::Reader again(bytes);
  wire::Arena arena_again(wire::Arena::limit_for(bytes.size()));
  M same;
  require(decode(again, version, arena_again, same), "what was encoded can be decoded");
  require(again.remaining() == 0, "decode() reads all that encode() wrote");
  require(message == same, "a message stays the same");
}

void run_any(std::int16_t key, std::int16_t version, Direction direction, wire::Reader& reader,
             std::size_t input_bytes) {
  with_message(key, direction, [&]<class M>() {
    if (M::api.versions.contains(version)) run<M>(reader, version, input_bytes);
  });
}

void run_request(std::span<const std::byte> frame) {
  wire::Reader reader(frame);
  RequestHeader header;
  if (!decode_request_header(reader, header)) return;
  run_any(header.api_key, header.api_version, Direction::request, reader, frame.size());
}

void run_response(std::int16_t key, std::int16_t version, std::span<const std::byte> frame) {
  wire::Reader reader(frame);
  std::int32_t correlation_id = 0;
  if (!decode_response_header(reader, key, version, correlation_id)) return;
  run_any(key, version, Direction::response, reader, frame.size());
}

}  // namespace
}  // namespace tern::kafka

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tern::fuzz::Input input(data, size);
  if (input.u8() % 2 == 0) {
    tern::kafka::run_request(input.rest());
  } else {
    const std::int16_t key = input.u8();
    const std::int16_t version = input.u8();
    tern::kafka::run_response(key, version, input.rest());
  }
  return 0;
}

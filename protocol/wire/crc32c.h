// CRC-32C (Castagnoli), the checksum over every Kafka record batch.
//
// crc32c(0, data, n) starts a sum, crc32c(sum, more, m) goes on with it, so pieces may be summed
// where they lie. crc32c_combine() joins two sums taken apart: the sum over records may be taken
// while they are hot and the header in front of them summed later. Any thread; the fastest way that
// the processor offers is chosen at the first call.
#ifndef TERN_PROTOCOL_WIRE_CRC32C_H_
#define TERN_PROTOCOL_WIRE_CRC32C_H_

#include <cstddef>
#include <cstdint>

namespace tern::wire {

std::uint32_t crc32c(std::uint32_t crc, const void* data, std::size_t size);

// The sum over A followed by B, from the sum over A and the sum over B (begun with 0) of size_b
// bytes.
std::uint32_t crc32c_combine(std::uint32_t crc_a, std::uint32_t crc_b, std::uint64_t size_b);

namespace internal {

// Every way to compute the sum that was compiled in, for tests and benches.
struct Crc32cVariant {
  const char* name;
  bool usable;  // does this processor have it
  std::uint32_t (*function)(std::uint32_t crc, const void* data, std::size_t size);
};
struct Crc32cVariants {
  const Crc32cVariant* data;
  std::size_t size;
  const Crc32cVariant* begin() const { return data; }
  const Crc32cVariant* end() const { return data + size; }
};
Crc32cVariants crc32c_variants();  // best first

}  // namespace internal
}  // namespace tern::wire

#endif  // TERN_PROTOCOL_WIRE_CRC32C_H_

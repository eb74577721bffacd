// CRC-32 (IEEE), the checksum of gzip and of the message formats before v2: zlib's crc32(), several
// times faster where the processor multiplies without carry. Any thread.
#ifndef TERN_PROTOCOL_KAFKA_CRC32_H_
#define TERN_PROTOCOL_KAFKA_CRC32_H_

#include <cstddef>
#include <cstdint>

namespace tern::kafka::internal {

// crc32_ieee(0, data, n) starts a sum, crc32_ieee(sum, more, m) goes on with it.
std::uint32_t crc32_ieee(std::uint32_t crc, const void* data, std::size_t size);

}  // namespace tern::kafka::internal

#endif  // TERN_PROTOCOL_KAFKA_CRC32_H_

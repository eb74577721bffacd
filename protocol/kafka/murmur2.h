// The hash of Kafka's Java client, so that tern puts a key on the same partition as everybody else.
#ifndef TERN_PROTOCOL_KAFKA_MURMUR2_H_
#define TERN_PROTOCOL_KAFKA_MURMUR2_H_

#include <cstdint>

#include "protocol/wire/bytes.h"

namespace tern::kafka {

// As org.apache.kafka.common.utils.Utils.murmur2, bit for bit.
std::int32_t murmur2(wire::Bytes key);

// The partition for a key among `partitions` (> 0). The sign bit is masked off: abs() would differ.
inline std::int32_t partition_for_key(wire::Bytes key, std::int32_t partitions) {
  return static_cast<std::int32_t>((static_cast<std::uint32_t>(murmur2(key)) & 0x7fffffffU) %
                                   static_cast<std::uint32_t>(partitions));
}

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_MURMUR2_H_

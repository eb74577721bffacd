// gzip for record batches, over zlib.
#ifndef TERN_PROTOCOL_KAFKA_GZIP_H_
#define TERN_PROTOCOL_KAFKA_GZIP_H_

#include <memory>

#include "protocol/kafka/compression.h"

namespace tern::kafka {

inline constexpr int kGzipDefaultLevel = -1;  // zlib's own choice, 6 today

// Level -1 or 1 (fast) to 9 (small); with any other, Codec::problem() says so and nothing is
// compressed.
std::shared_ptr<const Codec> gzip(int level = kGzipDefaultLevel);

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_GZIP_H_

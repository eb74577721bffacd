// zstd for record batches, over libzstd (1.4 or later), from the target //client/codecs:zstd:
//
//   config.codecs.push_back(kafka::zstd());  // of ClientConfig
//
// Writes one frame that tells its size. Reads any frames, several in a row too, with dictionaries
// excepted. Kafka has zstd since 2.1.
#ifndef TERN_CLIENT_CODECS_ZSTD_H_
#define TERN_CLIENT_CODECS_ZSTD_H_

#include <memory>

#include "protocol/kafka/compression.h"

namespace tern::kafka {

inline constexpr int kZstdDefaultLevel = 3;

// Level 1 to 22 (small), 0 for the library's own choice, or negative ones down to -131072 (fast);
// any other is the codec's problem().
std::shared_ptr<const Codec> zstd(int level = kZstdDefaultLevel);

}  // namespace tern::kafka

#endif  // TERN_CLIENT_CODECS_ZSTD_H_

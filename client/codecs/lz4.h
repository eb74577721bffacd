// lz4 for record batches, over liblz4 (1.9 or later), from the target //client/codecs:lz4:
//
//   config.codecs.push_back(kafka::lz4());  // of ClientConfig
//
// Writes one LZ4 frame of independent blocks of 64 KiB without checksums, as the Java client does:
// a batch has a checksum of its own. Reads any LZ4 frames, several in a row too, with dictionaries
// excepted; a decompressor keeps the library's buffers, at most twice the largest block of the
// format (4 MiB). Message sets v0 in lz4, whose frames clients before 0.10 gave a wrong checksum,
// are not read.
#ifndef TERN_CLIENT_CODECS_LZ4_H_
#define TERN_CLIENT_CODECS_LZ4_H_

#include <memory>

#include "protocol/kafka/compression.h"

namespace tern::kafka {

inline constexpr int kLz4DefaultLevel = 0;

// Level 0 (fast) to 12 (small; from 3 on it is LZ4 HC); any other is the codec's problem().
std::shared_ptr<const Codec> lz4(int level = kLz4DefaultLevel);

}  // namespace tern::kafka

#endif  // TERN_CLIENT_CODECS_LZ4_H_

// snappy for record batches, over libsnappy, from the target //client/codecs:snappy:
//
//   config.codecs.push_back(kafka::snappy());  // of ClientConfig
//
// Writes the framing of xerial's snappy-java, as the Java client does: a magic number, versions,
// then blocks with their lengths. Reads that, several in a row too, and a snappy block without
// framing, as librdkafka writes it. The library takes its tables for each block of 64 KiB from the
// heap while it compresses, and offers no way to keep them.
#ifndef TERN_CLIENT_CODECS_SNAPPY_H_
#define TERN_CLIENT_CODECS_SNAPPY_H_

#include <memory>

#include "protocol/kafka/compression.h"

namespace tern::kafka {

std::shared_ptr<const Codec> snappy();

}  // namespace tern::kafka

#endif  // TERN_CLIENT_CODECS_SNAPPY_H_

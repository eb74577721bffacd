// Message formats v0 and v1, from before Kafka 0.11: read, never written. Internal to records.cc.
//
// A message set is a run of entries: offset (8), size (4), CRC-32 of the rest (4), magic (1),
// attributes (1), in v1 a timestamp (8), key and value with lengths (4, -1 for null). A compressed
// message holds another message set in its value; in v1 the offsets inside count from 0, and the
// outer one is that of the last message inside.
//
// open_legacy() rewrites messages as v2 records, in place: a v2 record is never longer than the v0
// or v1 message it came from. So whoever reads records needs to know one format only.
#ifndef TERN_PROTOCOL_KAFKA_LEGACY_H_
#define TERN_PROTOCOL_KAFKA_LEGACY_H_

#include <cstddef>
#include <span>

#include "protocol/kafka/records.h"

namespace tern::kafka::internal {

// Checks the entry at the start of `set` (of `size` bytes, all there), and, unless it is
// compressed, those after it that can be in the same batch. `run` is the number of bytes taken,
// `header` what can be said about them.
bool read_legacy_run(std::span<const std::byte> set, std::size_t size, bool check_crc,
                     BatchHeader& header, std::size_t& run, RecordsError& error);

// open_batch() for magic 0 and 1.
bool open_legacy(const BatchView& batch, Decompressors& decompressors, FrameSink& sink,
                 std::size_t max_bytes, RecordBlock& out, RecordsError& error);

// In records.cc: `in`, which is all or part of the batch, decompressed into the sink.
bool decompress(const BatchView& batch, Compression codec, std::span<const std::byte> in,
                Decompressors& decompressors, FrameSink& sink, std::size_t max_bytes,
                std::span<const std::byte>& out, RecordsError& error);

}  // namespace tern::kafka::internal

#endif  // TERN_PROTOCOL_KAFKA_LEGACY_H_

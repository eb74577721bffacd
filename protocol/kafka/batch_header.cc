#include "protocol/kafka/batch_header.h"

#include "protocol/wire/crc32c.h"
#include "protocol/wire/endian.h"

namespace tern::kafka {

using wire::load_be;
using wire::store_be;

void write_batch_header(std::byte* out, const BatchHeader& header) {
  store_be(out, header.base_offset);
  store_be(out + 8, header.batch_length);
  store_be(out + 12, header.partition_leader_epoch);
  store_be(out + 16, header.magic);
  store_be(out + 17, header.crc);
  store_be(out + 21, header.attributes);
  store_be(out + 23, header.last_offset_delta);
  store_be(out + 27, header.base_timestamp);
  store_be(out + 35, header.max_timestamp);
  store_be(out + 43, header.producer_id);
  store_be(out + 51, header.producer_epoch);
  store_be(out + 53, header.base_sequence);
  store_be(out + 57, header.records_count);
}

BatchHeader read_batch_header(const std::byte* in) {
  BatchHeader header;
  header.base_offset = load_be<std::int64_t>(in);
  header.batch_length = load_be<std::int32_t>(in + 8);
  header.partition_leader_epoch = load_be<std::int32_t>(in + 12);
  header.magic = load_be<std::int8_t>(in + 16);
  header.crc = load_be<std::uint32_t>(in + 17);
  header.attributes = load_be<std::int16_t>(in + 21);
  header.last_offset_delta = load_be<std::int32_t>(in + 23);
  header.base_timestamp = load_be<std::int64_t>(in + 27);
  header.max_timestamp = load_be<std::int64_t>(in + 35);
  header.producer_id = load_be<std::int64_t>(in + 43);
  header.producer_epoch = load_be<std::int16_t>(in + 51);
  header.base_sequence = load_be<std::int32_t>(in + 53);
  header.records_count = load_be<std::int32_t>(in + 57);
  return header;
}

void patch_base_offset(std::byte* header, std::int64_t base_offset) {
  store_be(header, base_offset);
}

void patch_partition_leader_epoch(std::byte* header, std::int32_t epoch) {
  store_be(header + 12, epoch);
}

void patch_producer(std::byte* header, std::int64_t id, std::int16_t epoch,
                    std::int32_t base_sequence) {
  store_be(header + 43, id);
  store_be(header + 51, epoch);
  store_be(header + 53, base_sequence);
}

void patch_crc(std::byte* header, std::uint32_t crc) { store_be(header + 17, crc); }

std::uint32_t batch_crc(const std::byte* header, std::span<const wire::Bytes> pieces) {
  std::uint32_t crc = wire::crc32c(0, header + kBatchCrcStart, kBatchHeaderSize - kBatchCrcStart);
  for (const wire::Bytes& piece : pieces) crc = wire::crc32c(crc, piece.data(), piece.size());
  return crc;
}

}  // namespace tern::kafka

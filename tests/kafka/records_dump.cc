#include "tests/kafka/records_dump.h"

#include <cstdio>
#include <fstream>

#include "protocol/wire/errc.h"

namespace tern::kafka::testing {
namespace {

std::string text(wire::Bytes bytes) {
  return bytes.is_null() ? "null" : "'" + to_hex(bytes.span()) + "'";
}
std::string text(wire::Text bytes) {
  return bytes.is_null() ? "null" : "'" + to_hex(bytes.span()) + "'";
}

template <class Number>
std::string field(const char* name, Number number) {
  return std::string(" ") + name + "=" + std::to_string(number);
}

std::string batch_line(const BatchHeader& header) {
  char crc[16];
  std::snprintf(crc, sizeof crc, "%08x", header.crc);
  return "batch" + field("base", header.base_offset) + field("last", header.last_offset()) +
         field("leader_epoch", header.partition_leader_epoch) + " crc=" + crc +
         " codec=" + name(header.compression()) +
         (header.timestamp_type() == TimestampType::log_append ? " time=LogAppendTime"
                                                               : " time=CreateTime") +
         field("base_time", header.base_timestamp) + field("max_time", header.max_timestamp) +
         field("producer", header.producer_id) + "/" + std::to_string(header.producer_epoch) +
         field("sequence", header.base_sequence) + field("count", header.records_count) +
         field("transactional", header.is_transactional() ? 1 : 0) +
         field("control", header.is_control() ? 1 : 0);
}

std::string record_line(const RecordView& record, bool control) {
  std::string line = "record" + field("offset", record.offset) +
                     field("time", record.timestamp_ms) + " key=" + text(record.key) +
                     " value=" + text(record.value);
  for (const Header& header : record.headers) {
    line += " " + text(header.key) + "=" + text(header.value);
  }
  if (!control) return line;
  const std::optional<ControlRecord> marker = parse_control(record);
  if (!marker) return line + " control=broken";
  if (marker->type == ControlType::other) return line + " control=other";
  return line + (marker->type == ControlType::abort ? " control=abort/" : " control=commit/") +
         std::to_string(marker->coordinator_epoch);
}

}  // namespace

std::vector<std::string> dump_records(std::span<const std::byte> records, const Codecs& codecs) {
  std::vector<std::string> lines;
  Decompressors decompressors(codecs);
  BatchIterator batches(records);
  for (BatchView batch; batches.next(batch);) {
    if (batch.header.magic == kMagicV2) lines.push_back(batch_line(batch.header));
    VectorFrameSink frame;
    RecordBlock block;
    RecordsError error;
    if (!open_batch(batch, decompressors, frame, std::size_t{1} << 26, block, error)) {
      if (error.code != wire::Errc::missing_codec) {
        lines.push_back("error " + error.message());
        return lines;
      }
      lines.push_back(std::string("missing codec ") + name(error.codec));
      continue;
    }
    for (const RecordView& record : block) {
      lines.push_back(record_line(record, batch.header.is_control()));
    }
  }
  if (!batches.ok()) lines.push_back("error " + batches.error().message());
  if (batches.cut()) lines.push_back("cut");
  return lines;
}

std::string to_hex(std::span<const std::byte> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const std::byte byte : bytes) {
    hex += kDigits[std::to_integer<unsigned>(byte) >> 4];
    hex += kDigits[std::to_integer<unsigned>(byte) & 15U];
  }
  return hex;
}

std::vector<std::byte> from_hex(std::string_view hex) {
  const auto digit = [](char c) {
    return static_cast<unsigned>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  };
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(digit(hex[i]) << 4 | digit(hex[i + 1])));
  }
  return bytes;
}

std::vector<std::byte> golden_bytes(const std::string& path) {
  std::ifstream file(path);
  std::string hex;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("hex ")) hex += line.substr(4);
  }
  return from_hex(hex);
}

std::vector<std::string> golden_lines(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("hex ") && !line.starts_with("#")) lines.push_back(line);
  }
  return lines;
}

}  // namespace tern::kafka::testing

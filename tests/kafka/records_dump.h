// Batches and their records as lines of text, in the form of the files in tests/golden/records, so
// that what tern reads can be compared with what other clients read from the same bytes.
#ifndef TERN_TESTS_KAFKA_RECORDS_DUMP_H_
#define TERN_TESTS_KAFKA_RECORDS_DUMP_H_

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/kafka/records.h"

namespace tern::kafka::testing {

// A line for each v2 batch and each record; ends with "error ..." where tern refuses to read on,
// and has "missing codec ..." in place of records that tern has no codec for.
std::vector<std::string> dump_records(std::span<const std::byte> records, const Codecs& codecs);

std::string to_hex(std::span<const std::byte> bytes);
std::vector<std::byte> from_hex(std::string_view hex);

// A file of tests/golden/records: the bytes, and the lines that its writer reads from them.
std::vector<std::byte> golden_bytes(const std::string& path);
std::vector<std::string> golden_lines(const std::string& path);

}  // namespace tern::kafka::testing

#endif  // TERN_TESTS_KAFKA_RECORDS_DUMP_H_

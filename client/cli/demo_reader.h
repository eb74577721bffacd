// What the demo sends, and the check that it came back.
#ifndef TERN_CLIENT_CLI_DEMO_READER_H_
#define TERN_CLIENT_CLI_DEMO_READER_H_

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/wire/crc32c.h"

namespace tern::cli {

inline std::uint32_t demo_checksum(std::string_view text) {
  return wire::crc32c(0, text.data(), text.size());
}

// "crc {json}": the checksum of the JSON in eight hex digits, then a line such as shops write, with
// the record's number in front.
inline void write_demo_value(std::int64_t number, std::string& out) {
  char text[192];
  const auto n = static_cast<long long>(number);
  const int size = std::snprintf(
      text + 9, sizeof(text) - 9,
      "{\"n\":%lld,\"order\":\"A-%08llx\",\"customer\":%lld,\"amount\":%lld.%02lld,\"paid\":%s}", n,
      static_cast<unsigned long long>(n) * 2654435761ULL, n * 7919 % 100003, n * 31 % 977, n % 100,
      n % 3 == 0 ? "true" : "false");
  const std::string_view json(text + 9, static_cast<std::size_t>(size));
  std::snprintf(text, 10, "%08x ", demo_checksum(json));
  text[9] = '{';
  out.assign(text, 9 + json.size());
}

// Takes the records as they come: of each partition, numbers have to go up in steps of the number
// of partitions, none missing.
class DemoReader {
 public:
  DemoReader(std::int64_t records, std::int32_t partitions)
      : records_(records), next_(static_cast<std::size_t>(partitions)) {
    for (std::int32_t p = 0; p < partitions; ++p) next_[static_cast<std::size_t>(p)] = p;
  }

  void take(std::int32_t partition, std::string_view value) {
    if (!failure_.empty()) return;
    constexpr std::size_t kPrefix = 9;
    constexpr std::string_view kStart = "{\"n\":";
    std::uint32_t sum = 0;
    std::int64_t number = -1;
    const bool shaped =
        value.size() > kPrefix + kStart.size() && value.substr(kPrefix).starts_with(kStart);
    if (shaped) {
      std::from_chars(value.data(), value.data() + kPrefix - 1, sum, 16);
      std::from_chars(value.data() + kPrefix + kStart.size(), value.data() + value.size(), number);
    }
    auto& expected = next_[static_cast<std::size_t>(partition)];
    const std::string where =
        "partition " + std::to_string(partition) + ", record " + std::to_string(expected);
    if (!shaped || sum != demo_checksum(value.substr(kPrefix))) {
      failure_ = where + ": the checksum does not fit the content";
    } else if (number != expected) {
      failure_ = where + " is missing: " + std::to_string(number) + " came";
    }
    expected += static_cast<std::int64_t>(next_.size());
    ++count_;
    bytes_ += static_cast<std::int64_t>(value.size());
  }

  bool complete() const { return count_ >= records_; }
  std::int64_t count() const { return count_; }
  std::int64_t bytes() const { return bytes_; }
  const std::string& failure() const { return failure_; }
  std::string missing() const { return std::to_string(records_ - count_) + " are missing"; }

 private:
  const std::int64_t records_;
  std::int64_t count_ = 0;
  std::int64_t bytes_ = 0;
  std::vector<std::int64_t> next_;  // the number to come, by partition
  std::string failure_;
};

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_DEMO_READER_H_

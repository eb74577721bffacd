// Records that can be told apart: each carries its id in a header, and key, value and other headers
// follow from the id, null and empty ones included, so that any byte that changes on the way is
// seen.
#ifndef TERN_TESTS_SIM_CONTENT_H_
#define TERN_TESTS_SIM_CONTENT_H_

#include <charconv>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/kafka/record.h"
#include "protocol/wire/bytes.h"
#include "tests/sim/checkers.h"
#include "tests/sim/random.h"

namespace tern::sim {

inline constexpr std::string_view kIdHeader = "id";

inline std::uint64_t checksum_of(const wire::Bytes& bytes, std::uint64_t h) {
  h = checksum(bytes.is_null() ? "-" : "+", h);
  const auto span = bytes.span();
  return checksum({reinterpret_cast<const char*>(span.data()), span.size()}, h);
}

// Over everything but the offset and timestamp.
template <class Headers>
std::uint64_t checksum_of(const wire::Bytes& key, const wire::Bytes& value,
                          const Headers& headers) {
  std::uint64_t h = checksum_of(key, 1);
  h = checksum_of(value, h);
  for (const kafka::Header header : headers) {
    h = checksum(header.key.view(), h);
    h = checksum_of(header.value, h);
  }
  return h;
}

// The id of a record, or -1 if it has none.
template <class Headers>
std::uint64_t id_of(const Headers& headers) {
  std::uint64_t id = ~std::uint64_t{0};
  for (const kafka::Header header : headers) {
    if (header.key.view() != kIdHeader) continue;
    const auto span = header.value.span();
    const auto* text = reinterpret_cast<const char*>(span.data());
    std::from_chars(text, text + span.size(), id);
  }
  return id;
}

// One record; `record()` has views into it.
class Content {
 public:
  Content(std::uint64_t id, std::size_t max_value_bytes) : id_text_(std::to_string(id)) {
    Rng rng(mix64(id));
    key_null_ = rng.chance(0.4);
    if (!key_null_) fill(rng, key_, rng.below(12));
    value_null_ = rng.chance(0.05);
    if (!value_null_ && !rng.chance(0.05)) fill(rng, value_, rng.log_between(1, max_value_bytes));
    headers_.push_back({kIdHeader, wire::Bytes(id_text_)});
    if (rng.chance(0.2)) headers_.push_back({"null", wire::null});
    if (rng.chance(0.1)) headers_.push_back({"", wire::Bytes("")});
  }
  Content(const Content&) = delete;
  Content& operator=(const Content&) = delete;

  kafka::Record record() const {
    kafka::Record record;
    if (key_null_) {
      record.key = wire::null;
    } else {
      record.key = key_;
    }
    if (value_null_) {
      record.value = wire::null;
    } else {
      record.value = value_;
    }
    record.headers = headers_;
    return record;
  }
  std::uint64_t checksum() const {
    const kafka::Record r = record();
    return checksum_of(r.key, r.value, headers_);
  }

 private:
  static void fill(Rng& rng, std::string& text, std::size_t size) {
    text.resize(size);
    for (char& c : text) c = static_cast<char>(rng.next() & 0xff);
  }
  std::string id_text_, key_, value_;
  bool key_null_ = false, value_null_ = false;
  std::vector<kafka::Header> headers_;
};

}  // namespace tern::sim

#endif  // TERN_TESTS_SIM_CONTENT_H_

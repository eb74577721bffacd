// Compact strings and arrays, tagged fields known and unknown, and the fall-back to version 0:
// answers to ApiVersions, which have all of these, read by the codec and by the slowest reader
// there is. Both read the same message, or both refuse it.
//
// Input: the version (1 byte), then the body of an answer.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "fuzz/target.h"
#include "protocol/kafka/messages/api_versions.h"

namespace tern::kafka {
namespace {

using fuzz::require;

constexpr std::int16_t kUnsupportedVersion = 35;

// Every step checks; after the first failure nothing is believed.
class SlowReader {
 public:
  explicit SlowReader(std::span<const std::byte> in) : in_(in) {}

  bool ok = true;

  std::uint64_t number(std::size_t bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | byte();
    return value;
  }
  std::int16_t i16() { return static_cast<std::int16_t>(number(2)); }

  // At most five bytes, at most 32 bits.
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < 5; ++i) {
      const std::uint64_t b = byte();
      value += (b & 0x7f) << (7 * i);
      if (b < 0x80) {
        if (value > 0xffffffff) ok = false;
        return value;
      }
    }
    ok = false;
    return 0;
  }
  // Of a string or an array, which must not be null.
  std::uint64_t compact_length() {
    const std::uint64_t code = varint();
    if (code == 0) ok = false;
    return ok ? code - 1 : 0;
  }
  std::string text() {
    const std::uint64_t size = compact_length();
    if (size > 32767) ok = false;
    std::string out;
    for (std::uint64_t i = 0; ok && i < size; ++i) out.push_back(static_cast<char>(byte()));
    return out;
  }
  // Tag to content; ascending, no tag twice.
  std::map<std::uint64_t, std::vector<std::byte>> tags() {
    std::map<std::uint64_t, std::vector<std::byte>> out;
    const std::uint64_t count = varint();
    for (std::uint64_t i = 0; ok && i < count; ++i) {
      const std::uint64_t tag = varint();
      const std::uint64_t size = varint();
      if (!out.empty() && tag <= out.rbegin()->first) ok = false;
      std::vector<std::byte> content;
      for (std::uint64_t n = 0; ok && n < size; ++n) content.push_back(std::byte(byte()));
      out[tag] = content;
    }
    return out;
  }
  bool at_end() const { return at_ == in_.size(); }

 private:
  std::uint8_t byte() {
    if (at_ == in_.size()) ok = false;
    return ok ? std::to_integer<std::uint8_t>(in_[at_++]) : 0;
  }

  std::span<const std::byte> in_;
  std::size_t at_ = 0;
};

struct Range {
  std::string name;
  std::int16_t first = 0;
  std::int16_t second = 0;
  friend bool operator==(const Range&, const Range&) = default;
};

struct Slow {
  std::int16_t error = 0;
  std::vector<std::array<std::int16_t, 3>> keys;
  std::int32_t throttle = 0;
  std::vector<Range> supported;
  std::int64_t epoch = -1;
  std::vector<Range> finalized;
  bool migration = false;
};

std::vector<Range> read_ranges(SlowReader& in) {
  std::vector<Range> out;
  const std::uint64_t count = in.compact_length();
  for (std::uint64_t i = 0; in.ok && i < count; ++i) {
    Range range{in.text(), in.i16(), in.i16()};
    in.tags();
    out.push_back(range);
  }
  return out;
}

bool read_tags(SlowReader& in, Slow& out) {
  for (const auto& [tag, content] : in.tags()) {
    SlowReader inner(content);
    if (tag == 0) out.supported = read_ranges(inner);
    if (tag == 1) out.epoch = static_cast<std::int64_t>(inner.number(8));
    if (tag == 2) out.finalized = read_ranges(inner);
    if (tag == 3) out.migration = inner.number(1) != 0;
    if (tag <= 3 && (!inner.ok || !inner.at_end())) return false;
    fuzz::reached(tag > 3 ? "an unknown tag" : tag == 2 ? "an array in a tag" : "a known tag");
  }
  return in.ok;
}

std::optional<Slow> read_slowly(std::span<const std::byte> body, std::int16_t version) {
  SlowReader in(body);
  Slow out;
  out.error = in.i16();
  if (in.ok && out.error == kUnsupportedVersion) {
    version = 0;
    fuzz::reached("an answer in version 0");
  }
  const bool flexible = version >= 3;
  std::uint64_t count = flexible ? in.compact_length() : in.number(4);
  if (count > 0x7fffffff) return std::nullopt;  // negative, where null is not allowed
  for (; in.ok && count != 0; --count) {
    out.keys.push_back({in.i16(), in.i16(), in.i16()});
    if (flexible && !in.tags().empty()) fuzz::reached("tags in an element");
  }
  if (version >= 1) out.throttle = static_cast<std::int32_t>(in.number(4));
  if (!in.ok) return std::nullopt;
  if (flexible && !read_tags(in, out)) return std::nullopt;
  return out;
}

void compare(const ApiVersionsResponse& fast, const Slow& slow) {
  require(fast.error_code == slow.error, "the same error code");
  require(fast.api_keys.size() == slow.keys.size(), "as many keys");
  for (std::size_t i = 0; i < slow.keys.size(); ++i) {
    const auto& key = fast.api_keys[i];
    require(std::array{key.api_key, key.min_version, key.max_version} == slow.keys[i],
            "the same key");
  }
  require(fast.throttle_time_ms == slow.throttle, "the same throttle time");
  require(fast.finalized_features_epoch == slow.epoch, "the same epoch");
  require(fast.zk_migration_ready == slow.migration, "the same flag");
  require(fast.supported_features.size() == slow.supported.size(), "as many features");
  for (std::size_t i = 0; i < slow.supported.size(); ++i) {
    const auto& feature = fast.supported_features[i];
    require(
        Range{feature.name.str(), feature.min_version, feature.max_version} == slow.supported[i],
        "the same feature");
  }
  require(fast.finalized_features.size() == slow.finalized.size(), "as many levels");
  for (std::size_t i = 0; i < slow.finalized.size(); ++i) {
    const auto& level = fast.finalized_features[i];
    require(Range{level.name.str(), level.max_version_level, level.min_version_level} ==
                slow.finalized[i],
            "the same level");
  }
}

}  // namespace
}  // namespace tern::kafka

std::vector<std::string> tern::fuzz::milestones() {
  return {"an answer in version 0", "an unknown tag", "a known tag", "an array in a tag",
          "tags in an element",     "both read",      "both refuse"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tern;
  using namespace tern::kafka;
  fuzz::Input input(data, size);
  const auto version = static_cast<std::int16_t>(input.u8() % (kApiVersionsApi.versions.max + 1));
  const std::span<const std::byte> body = input.rest();
  wire::Reader reader(body);
  wire::Arena arena(wire::Arena::limit_for(body.size()));
  ApiVersionsResponse fast;
  const bool read = decode_api_versions_response(reader, version, arena, fast);
  const std::optional<Slow> slow = read_slowly(body, version);
  fuzz::require(read == slow.has_value(), "both read it, or none");
  if (slow) compare(fast, *slow);
  fuzz::reached(slow ? "both read" : "both refuse");
  return 0;
}

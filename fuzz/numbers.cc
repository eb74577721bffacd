// Variable length integers against the simplest reader there is, and every CRC-32C against the
// others, in one piece and in two.
//
// Input: a number (8 bytes), where to cut (1 byte), then bytes to read numbers from and to sum up.

#include <optional>

#include "fuzz/target.h"
#include "protocol/wire/crc32c.h"
#include "protocol/wire/varint.h"

namespace tern::wire {
namespace {

using fuzz::require;

struct Slow {
  std::uint64_t value;
  std::size_t size;
};

// A bit at a time; nothing if the input ends inside or the number has more than `bits` bits.
std::optional<Slow> read_slowly(std::span<const std::byte> in, unsigned bits) {
  Slow out{0, 0};
  unsigned place = 0;
  for (const std::byte byte : in) {
    if (place >= bits) return std::nullopt;
    ++out.size;
    for (unsigned bit = 0; bit < 7; ++bit, ++place) {
      if ((std::to_integer<unsigned>(byte) >> bit & 1U) == 0) continue;
      if (place >= bits) return std::nullopt;
      out.value |= std::uint64_t{1} << place;
    }
    if (std::to_integer<unsigned>(byte) < 0x80U) return out;
  }
  return std::nullopt;
}

template <class U>
void read(std::span<const std::byte> in) {
  const std::optional<Slow> slow = read_slowly(in, sizeof(U) * 8);
  U value = 0;
  const std::byte* end = read_uvarint(in.data(), in.data() + in.size(), value);
  require((end != nullptr) == slow.has_value(), "both read a number, or none");
  fuzz::reached(slow ? "a number" : "no number");
  if (!slow) return;
  require(value == slow->value, "both read the same number");
  require(end == in.data() + slow->size, "both read as many bytes");
}

void write(std::uint64_t n) {
  std::byte out[kMaxVarint64];
  const std::byte* end = write_uvarint(out, n);
  const auto size = static_cast<std::size_t>(end - out);
  require(size == uvarint_size(n), "a size is exact");
  std::uint64_t back = 0;
  require(read_uvarint(out, end, back) == end && back == n, "a number comes back");
  require(zigzag_encode(zigzag_decode(n)) == n, "zigzag goes both ways");
}

void sum(std::span<const std::byte> in, std::size_t cut) {
  const std::uint32_t whole = crc32c(0, in.data(), in.size());
  const auto head = in.first(cut);
  const auto tail = in.subspan(cut);
  for (const internal::Crc32cVariant& variant : internal::crc32c_variants()) {
    if (!variant.usable) continue;
    const std::uint32_t first = variant.function(0, head.data(), head.size());
    require(variant.function(first, tail.data(), tail.size()) == whole, "every way sums the same");
  }
  const std::uint32_t joined = crc32c_combine(crc32c(0, head.data(), head.size()),
                                              crc32c(0, tail.data(), tail.size()), tail.size());
  require(joined == whole, "sums taken apart join to the same");
  if (!head.empty() && !tail.empty()) fuzz::reached("a sum in two pieces");
}

}  // namespace
}  // namespace tern::wire

std::vector<std::string> tern::fuzz::milestones() {
  return {"a number", "no number", "a sum in two pieces"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tern::fuzz::Input input(data, size);
  tern::wire::write(input.u64());
  const std::size_t where = input.u8();
  const std::span<const std::byte> rest = input.rest();
  tern::wire::read<std::uint32_t>(rest);
  tern::wire::read<std::uint64_t>(rest);
  tern::wire::sum(rest, rest.size() * where / 255);
  return 0;
}

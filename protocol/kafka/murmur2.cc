#include "protocol/kafka/murmur2.h"

#include <cstddef>
#include <cstring>

namespace tern::kafka {

std::int32_t murmur2(wire::Bytes key) {
  constexpr std::uint32_t kSeed = 0x9747b28cU;
  constexpr std::uint32_t kMultiplier = 0x5bd1e995U;
  const auto* p = reinterpret_cast<const unsigned char*>(key.data());
  std::size_t left = key.size();
  const auto byte = [](unsigned char c) { return static_cast<std::uint32_t>(c); };

  // The Java client hashes arrays, whose length is an int: longer keys cannot be sent anyway.
  std::uint32_t hash = kSeed ^ static_cast<std::uint32_t>(left);
  for (; left >= 4; p += 4, left -= 4) {
    std::uint32_t word = byte(p[0]) | byte(p[1]) << 8 | byte(p[2]) << 16 | byte(p[3]) << 24;
    word *= kMultiplier;
    word ^= word >> 24;
    word *= kMultiplier;
    hash = (hash * kMultiplier) ^ word;
  }
  if (left >= 3) hash ^= byte(p[2]) << 16;
  if (left >= 2) hash ^= byte(p[1]) << 8;
  if (left >= 1) hash = (hash ^ byte(p[0])) * kMultiplier;
  hash ^= hash >> 13;
  hash *= kMultiplier;
  hash ^= hash >> 15;
  return static_cast<std::int32_t>(hash);
}

}  // namespace tern::kafka

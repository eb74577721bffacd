// Runs a fuzz target over the files named as arguments, and over mutations of each, without
// libFuzzer: a test for any compiler and sanitizer. The mutations are the same in every run.
//
//   NAME_replay FILE...             each file and its mutations
//   NAME_replay --only FILE...      each file, once: to look at what libFuzzer found

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

#include "fuzz/target.h"

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr int kMutationsInAll = 40000;
constexpr std::size_t kLongest = std::size_t{1} << 16;

std::uint64_t next_random(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15U;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

// One change: a bit, a byte that is often a boundary, a piece cut out, a piece repeated, an end
// cut.
void mutate(Bytes& bytes, std::uint64_t& random) {
  constexpr std::uint8_t kTelling[] = {0x00, 0x01, 0x02, 0x7f, 0x80, 0x81, 0xfe, 0xff};
  if (bytes.empty()) {
    bytes.push_back(static_cast<std::uint8_t>(next_random(random)));
    return;
  }
  const std::size_t at = next_random(random) % bytes.size();
  const auto here = bytes.begin() + static_cast<std::ptrdiff_t>(at);
  const std::size_t length = 1 + next_random(random) % std::min<std::size_t>(16, bytes.size() - at);
  const auto end = here + static_cast<std::ptrdiff_t>(length);
  switch (next_random(random) % 8) {
    case 0:
      *here = static_cast<std::uint8_t>(*here ^ (1U << (next_random(random) % 8)));
      break;
    case 1:
    case 2:
      *here = kTelling[next_random(random) % std::size(kTelling)];
      break;
    case 3:
      *here = static_cast<std::uint8_t>(next_random(random));
      break;
    case 4:
      std::fill(here, end, kTelling[next_random(random) % std::size(kTelling)]);
      break;
    case 5:
      bytes.erase(here, end);
      break;
    case 6: {
      const Bytes piece(here, end);
      if (bytes.size() < kLongest) bytes.insert(end, piece.begin(), piece.end());
      break;
    }
    default:
      bytes.resize(at);
  }
}

// A copy of exactly that size on the heap, so that a sanitizer sees the first byte beyond.
void run(const Bytes& bytes) {
  const std::vector<std::uint8_t> exact(bytes);
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

}  // namespace

int main(int argc, char** argv) {
  const bool only = argc > 1 && std::strcmp(argv[1], "--only") == 0;
  std::vector<Bytes> inputs;
  for (int i = only ? 2 : 1; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    if (!file) {
      std::fprintf(stderr, "cannot read %s\n", argv[i]);
      return 1;
    }
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  if (inputs.empty()) {
    std::fprintf(stderr, "no corpus: nothing was run\n");
    return 1;
  }
  const int each = only ? 0 : kMutationsInAll / static_cast<int>(inputs.size());
  std::uint64_t random = 1;
  for (const Bytes& input : inputs) {
    run(input);
    for (int i = 0; i < each; ++i) {
      Bytes changed = input;
      for (std::uint64_t n = 1 + next_random(random) % 4; n != 0; --n) mutate(changed, random);
      run(changed);
    }
  }
  std::printf("%zu inputs, %d mutations of each\n", inputs.size(), each);
  return 0;
}

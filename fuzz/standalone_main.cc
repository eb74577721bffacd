// Runs a fuzz target over its corpus, and over mutations of each input, without libFuzzer: a test
// for any compiler and sanitizer. The mutations are the same in every run.
//
//   NAME_replay N CORPUS.txt        each input and, in all, about N mutations of them; fails unless
//                                   the inputs, as they are, reach every milestone of the target
//   NAME_replay --only FILE...      raw files, each once: to look at what libFuzzer found
//
// A line of a corpus is the name of an input and its bytes in hexadecimal digits.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "fuzz/target.h"

namespace {

using Bytes = std::vector<std::uint8_t>;

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

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool parse_line(const std::string& line, Bytes& out) {
  std::istringstream words(line);
  std::string name;
  std::string hex;
  std::string more;
  words >> name >> hex >> more;
  if (name.empty() || !more.empty() || hex.size() % 2 != 0) return false;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = digit(hex[i]);
    const int low = digit(hex[i + 1]);
    if (high < 0 || low < 0) return false;
    out.push_back(static_cast<std::uint8_t>(high << 4 | low));
  }
  return true;
}

bool read_corpus(const char* path, std::vector<Bytes>& out) {
  std::ifstream file(path);
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (parse_line(line, out.emplace_back())) continue;
    std::fprintf(stderr, "%s:%d: not a name and hexadecimal digits\n", path, number);
    return false;
  }
  return true;
}

std::set<std::string, std::less<>> reached_so_far;
void note(std::string_view milestone) {
  if (!reached_so_far.contains(milestone)) reached_so_far.emplace(milestone);
}

// The gate.
bool passes_gate() {
  const std::vector<std::string> list = tern::fuzz::milestones();
  const std::set<std::string, std::less<>> expected(list.begin(), list.end());
  bool passes = true;
  for (const std::string& milestone : expected) {
    if (reached_so_far.contains(milestone)) continue;
    std::fprintf(stderr, "the corpus does not reach: %s\n", milestone.c_str());
    passes = false;
  }
  if (expected.empty()) std::fprintf(stderr, "the target has no milestones\n");
  std::printf("%zu milestones\n", expected.size());
  return passes && !expected.empty();
}

int run_only(int count, char** files) {
  for (int i = 0; i < count; ++i) {
    std::ifstream file(files[i], std::ios::binary);
    if (!file) {
      std::fprintf(stderr, "cannot read %s\n", files[i]);
      return 1;
    }
    run({std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()});
    std::printf("%s: nothing broke\n", files[i]);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "--only") == 0) return run_only(argc - 2, argv + 2);
  std::vector<Bytes> inputs;
  if (argc != 3 || !read_corpus(argv[2], inputs)) return 1;
  if (inputs.empty()) {
    std::fprintf(stderr, "no corpus: nothing was run\n");
    return 1;
  }
  tern::fuzz::milestone_listener = &note;
  for (const Bytes& input : inputs) run(input);
  tern::fuzz::milestone_listener = nullptr;
  if (!passes_gate()) return 1;

  const int each = std::max(1, std::atoi(argv[1]) / static_cast<int>(inputs.size()));
  std::uint64_t random = 1;
  for (const Bytes& input : inputs) {
    for (int i = 0; i < each; ++i) {
      Bytes changed = input;
      for (std::uint64_t n = 1 + next_random(random) % 4; n != 0; --n) mutate(changed, random);
      run(changed);
    }
  }
  std::printf("%zu inputs, %d mutations of each\n", inputs.size(), each);
  return 0;
}

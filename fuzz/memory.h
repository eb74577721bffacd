// Counts what operator new gives out, so that a target can hold a decoder to its bound of memory,
// and the sanitizers are not the first to notice. Whoever links this replaces operator new. Any
// thread counts for itself.
#ifndef TERN_FUZZ_MEMORY_H_
#define TERN_FUZZ_MEMORY_H_

#include <cstddef>

namespace tern::fuzz {

// From its construction on. One at a time: a second one begins the peak anew.
class MemoryScope {
 public:
  MemoryScope();
  // The most bytes held at once, beyond those held at the start.
  std::size_t peak() const;
  // Bytes held now, beyond those held at the start; 0 if there are fewer.
  std::size_t held() const;

 private:
  std::size_t held_at_start_;
};

}  // namespace tern::fuzz

#endif  // TERN_FUZZ_MEMORY_H_

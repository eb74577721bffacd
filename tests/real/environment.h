// What `./dev test` says in environment variables: where brokers are, and what controls them.
#ifndef TERN_TESTS_REAL_ENVIRONMENT_H_
#define TERN_TESTS_REAL_ENVIRONMENT_H_

#include <cstdlib>
#include <string>

namespace tern::real {

// "" if it is not set.
inline std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

}  // namespace tern::real

#endif  // TERN_TESTS_REAL_ENVIRONMENT_H_

// The version of tern, as brokers are told it and `tern kafka -V` says it.
#ifndef TERN_CLIENT_CORE_VERSION_H_
#define TERN_CLIENT_CORE_VERSION_H_

namespace tern {

inline constexpr const char* kVersion = "0.1.0";  // as in MODULE.bazel

}  // namespace tern

#endif  // TERN_CLIENT_CORE_VERSION_H_

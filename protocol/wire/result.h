// A value, or the error that took its place. Never both, never neither.
#ifndef TERN_PROTOCOL_WIRE_RESULT_H_
#define TERN_PROTOCOL_WIRE_RESULT_H_

#include <cassert>
#include <optional>
#include <system_error>
#include <utility>

namespace tern::wire {

// Used where a function can fail and the caller has to look. An error code that is not set would
// make neither a value nor an error, so the constructor refuses it.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(std::error_code error) : error_(error) { assert(error); }
  template <class E>
    requires std::is_error_code_enum_v<E>
  Result(E error) : Result(make_error_code(error)) {}

  bool has_value() const { return value_.has_value(); }
  explicit operator bool() const { return has_value(); }
  const std::error_code& error() const { return error_; }

  T& value() & { return *value_; }
  const T& value() const& { return *value_; }
  T&& value() && { return *std::move(value_); }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return *std::move(value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  std::error_code error_;
};

}  // namespace tern::wire

#endif  // TERN_PROTOCOL_WIRE_RESULT_H_

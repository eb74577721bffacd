// A bounds-checked reader of big-endian values with a sticky error.
//
// A read past the end returns zero and records what and where; every later read returns zero too,
// and the first error stays. So a decoder may read on and look at ok() only before it trusts a
// count or goes round a loop. `field` names what is being read, for the error alone; it has static
// lifetime. Views that bytes() returns point into the input. One owner at a time.
#ifndef TERN_PROTOCOL_WIRE_READER_H_
#define TERN_PROTOCOL_WIRE_READER_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "protocol/wire/bytes.h"
#include "protocol/wire/endian.h"
#include "protocol/wire/errc.h"
#include "protocol/wire/varint.h"

namespace tern::wire {

// The first thing that went wrong, and where: the field's name and the offset at which its bytes
// start.
struct DecodeError {
  Errc code{};
  const char* field = "";
  std::size_t offset = 0;

  // "topics: the input ends inside a value, at byte 17"
  std::string message() const {
    return std::string(field) + ": " + make_error_code(code).message() + ", at byte " +
           std::to_string(offset);
  }
};

class Reader {
 public:
  Reader() = default;
  explicit Reader(std::span<const std::byte> input)
      : begin_(input.data()), next_(input.data()), end_(input.data() + input.size()) {}
  explicit Reader(Bytes input) : Reader(input.span()) {}

  bool ok() const { return !failed_; }
  const DecodeError& error() const { return error_; }  // meaningful when !ok()
  std::size_t remaining() const { return static_cast<std::size_t>(end_ - next_); }
  std::size_t position() const { return static_cast<std::size_t>(next_ - begin_); }

  // Records the first error and makes all further reads fail. Always returns false.
  [[gnu::cold, gnu::noinline]] bool fail(Errc code, const char* field = "") {
    if (!failed_) error_ = {code, field, position()};
    failed_ = true;
    end_ = next_;
    return false;
  }

  std::int8_t i8(const char* field = "") {
    return static_cast<std::int8_t>(fixed<std::uint8_t>(field));
  }
  std::int16_t i16(const char* field = "") {
    return static_cast<std::int16_t>(fixed<std::uint16_t>(field));
  }
  std::int32_t i32(const char* field = "") {
    return static_cast<std::int32_t>(fixed<std::uint32_t>(field));
  }
  std::int64_t i64(const char* field = "") {
    return static_cast<std::int64_t>(fixed<std::uint64_t>(field));
  }
  std::uint8_t u8(const char* field = "") { return fixed<std::uint8_t>(field); }
  std::uint16_t u16(const char* field = "") { return fixed<std::uint16_t>(field); }
  std::uint32_t u32(const char* field = "") { return fixed<std::uint32_t>(field); }
  std::uint64_t u64(const char* field = "") { return fixed<std::uint64_t>(field); }
  double f64(const char* field = "") { return std::bit_cast<double>(fixed<std::uint64_t>(field)); }

  std::uint32_t uvarint(const char* field = "") {
    std::uint32_t n = 0;
    advance(read_uvarint(next_, end_, n), field, kMaxVarint32);
    return n;
  }
  std::int32_t varint(const char* field = "") {
    std::int32_t n = 0;
    advance(read_varint(next_, end_, n), field, kMaxVarint32);
    return n;
  }
  std::int64_t varlong(const char* field = "") {
    std::int64_t n = 0;
    advance(read_varlong(next_, end_, n), field, kMaxVarint64);
    return n;
  }

  Uuid uuid(const char* field = "") {
    Uuid id;
    const std::span<const std::byte> raw = bytes(id.bytes.size(), field);
    if (raw.size() == id.bytes.size()) std::memcpy(id.bytes.data(), raw.data(), raw.size());
    return id;
  }
  // The next `n` bytes where they lie; empty on error.
  std::span<const std::byte> bytes(std::size_t n, const char* field = "") {
    if (remaining() < n) [[unlikely]] {
      fail(Errc::end_of_input, field);
      return {};
    }
    const std::byte* p = next_;
    next_ += n;
    return {p, n};
  }
  void skip(std::size_t n, const char* field = "") { bytes(n, field); }

  // Error unless the input is used up.
  bool expect_end(const char* field = "") {
    if (ok() && next_ != end_) fail(Errc::trailing_bytes, field);
    return ok();
  }

  // Hides everything after the next `n` bytes (n <= remaining()) until restore() is given the
  // result.
  const std::byte* narrow(std::size_t n) {
    const std::byte* whole = end_;
    end_ = next_ + n;
    return whole;
  }
  void restore(const std::byte* whole) {
    if (ok()) end_ = whole;
  }

 private:
  template <class U>
  U fixed(const char* field) {
    if (remaining() < sizeof(U)) [[unlikely]] {
      fail(Errc::end_of_input, field);
      return 0;
    }
    const U value = load_be<U>(next_);
    next_ += sizeof(U);
    return value;
  }
  void advance(const std::byte* after, const char* field, std::size_t longest) {
    if (after == nullptr) [[unlikely]] {
      fail_varint(field, longest);
      return;
    }
    next_ = after;
  }
  [[gnu::cold, gnu::noinline]] void fail_varint(const char* field, std::size_t longest) {
    // The input ended inside the number only if every byte left says that another one follows.
    bool unfinished = remaining() < longest;
    for (const std::byte* p = next_; p != end_ && unfinished; ++p) {
      unfinished = (std::to_integer<unsigned>(*p) & 0x80U) != 0;
    }
    fail(unfinished ? Errc::end_of_input : Errc::bad_varint, field);
  }

  const std::byte* begin_ = nullptr;
  const std::byte* next_ = nullptr;
  const std::byte* end_ = nullptr;
  DecodeError error_;
  bool failed_ = false;
};

}  // namespace tern::wire

#endif  // TERN_PROTOCOL_WIRE_READER_H_

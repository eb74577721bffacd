// An unchecked writer of big-endian values into a buffer of exactly the right size.
//
// The size comes from a validating pass over the same value (encoded_size in the codecs), so
// nothing here tests for room: that pass and this writer must see the same message. Large record
// data need not be copied: with room in `splices`, records() notes where they belong and the caller
// writes flat bytes and spliced bytes one after the other (gathered write). One owner at a time.
#ifndef TERN_PROTOCOL_WIRE_WRITER_H_
#define TERN_PROTOCOL_WIRE_WRITER_H_

#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "protocol/wire/bytes.h"
#include "protocol/wire/endian.h"
#include "protocol/wire/varint.h"

namespace tern::wire {

// `data` is to be sent after the first `at` bytes of the flat buffer.
struct Splice {
  std::size_t at = 0;
  Bytes data;
};

// Below this, copying costs less than one more piece in a gathered write. Whoever cannot spare the
// memory for copies gives the writer and the pass for the size a limit of his own.
inline constexpr std::size_t kMinSpliceBytes = 2048;

class Writer {
 public:
  explicit Writer(std::span<std::byte> flat, std::span<Splice> splices = {},
                  std::size_t min_splice = kMinSpliceBytes)
      : begin_(flat.data()),
        next_(flat.data()),
        end_(flat.data() + flat.size()),
        splices_(splices),
        min_splice_(min_splice) {}

  std::size_t position() const { return static_cast<std::size_t>(next_ - begin_); }
  std::size_t splices_used() const { return splices_used_; }

  void i8(std::int8_t n) { fixed(static_cast<std::uint8_t>(n)); }
  void i16(std::int16_t n) { fixed(static_cast<std::uint16_t>(n)); }
  void i32(std::int32_t n) { fixed(static_cast<std::uint32_t>(n)); }
  void i64(std::int64_t n) { fixed(static_cast<std::uint64_t>(n)); }
  void u8(std::uint8_t n) { fixed(n); }
  void u16(std::uint16_t n) { fixed(n); }
  void u32(std::uint32_t n) { fixed(n); }
  void u64(std::uint64_t n) { fixed(n); }
  void f64(double n) { fixed(std::bit_cast<std::uint64_t>(n)); }
  void uvarint(std::uint32_t n) { next_ = write_uvarint(next_, n); }
  void varint(std::int32_t n) { next_ = write_varint(next_, n); }
  void varlong(std::int64_t n) { next_ = write_varlong(next_, n); }
  void uuid(const Uuid& id) { bytes(id.bytes.data(), id.bytes.size()); }

  void bytes(const void* data, std::size_t size) {
    assert(static_cast<std::size_t>(end_ - next_) >= size);
    if (size != 0) std::memcpy(next_, data, size);
    next_ += size;
  }
  void bytes(std::string_view data) { bytes(data.data(), data.size()); }

  // The content of a records field (its length has been written): noted if it is worth a piece of
  // its own in a gathered write and there is room, else copied.
  void records(const Records& data) {
    if (data.size() >= min_splice_ && splices_used_ < splices_.size()) {
      splices_[splices_used_++] = Splice{position(), data.bytes()};
      return;
    }
    bytes(data.data(), data.size());
  }

 private:
  template <class U>
  void fixed(U n) {
    assert(static_cast<std::size_t>(end_ - next_) >= sizeof(U));
    store_be(next_, n);
    next_ += sizeof(U);
  }

  std::byte* begin_;
  std::byte* next_;
  std::byte* end_;
  std::span<Splice> splices_;
  std::size_t splices_used_ = 0;
  std::size_t min_splice_;
};

}  // namespace tern::wire

#endif  // TERN_PROTOCOL_WIRE_WRITER_H_

#include "protocol/wire/errc.h"

#include <string>

namespace tern::wire {
namespace {

const char* text(Errc code) {
  switch (code) {
    case Errc::end_of_input:
      return "the input ends inside a value";
    case Errc::bad_length:
      return "a length is negative or goes beyond the input";
    case Errc::bad_count:
      return "a count is negative or more than the input can hold";
    case Errc::bad_varint:
      return "a variable length number is too long";
    case Errc::too_large:
      return "larger than the limit";
    case Errc::null_not_allowed:
      return "null where null is not allowed";
    case Errc::unsupported_version:
      return "the version is not supported";
    case Errc::not_in_version:
      return "a value that this version cannot carry";
    case Errc::bad_magic:
      return "a record batch of an unknown format";
    case Errc::bad_crc:
      return "the checksum does not fit the bytes";
    case Errc::trailing_bytes:
      return "bytes are left over";
    case Errc::missing_codec:
      return "no codec for this compression";
    case Errc::bad_compressed_data:
      return "the compressed data is broken";
    case Errc::bad_tag:
      return "a malformed tagged field";
    case Errc::bad_value:
      return "a value that the protocol does not allow";
    case Errc::unknown_type:
      return "a type or number that the protocol does not have";
    case Errc::too_deep:
      return "nested deeper than the limit";
    case Errc::bad_frame_end:
      return "the frame does not end where its size says";
  }
  return "unknown wire error";
}

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "tern.wire"; }
  std::string message(int code) const override { return text(static_cast<Errc>(code)); }
};

}  // namespace

const std::error_category& error_category() noexcept {
  static const Category category;
  return category;
}

}  // namespace tern::wire

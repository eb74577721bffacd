// What can be wrong with bytes, or with a value that is to become bytes. As std::error_code:
//   if (ec == tern::wire::Errc::bad_crc) ...
// Where it was wrong (field, offset) goes beside the code, in the error types of the readers.
#ifndef TERN_PROTOCOL_WIRE_ERRC_H_
#define TERN_PROTOCOL_WIRE_ERRC_H_

#include <system_error>

namespace tern::wire {

enum class Errc {
  end_of_input = 1,     // the input ends inside a value
  bad_length,           // a length is negative or beyond what is there
  bad_count,            // a count is negative or more than the bytes can hold
  bad_varint,           // longer than its type allows
  too_large,            // more than a limit of ours
  null_not_allowed,     // null where this version has no null
  unsupported_version,  // the version does not exist
  not_in_version,       // a value other than the default, in a field the version does not have
  bad_magic,            // a record batch of an unknown format
  bad_crc,              // the checksum does not fit the bytes
  trailing_bytes,       // something is left over where the value should end
  missing_codec,        // compressed with a codec that the config does not name
  bad_compressed_data,  // the codec cannot read it
  bad_tag,              // tags not in order, or a tagged field that does not fill its declared size
  bad_value,            // a value that the protocol does not allow there
  unknown_type,         // a type, tag or number that the protocol does not have
  too_deep,             // nested deeper than a limit of ours
  bad_frame_end,        // a frame does not end where its size says
};

const std::error_category& error_category() noexcept;

inline std::error_code make_error_code(Errc code) noexcept {
  return {static_cast<int>(code), error_category()};
}

}  // namespace tern::wire

template <>
struct std::is_error_code_enum<tern::wire::Errc> : std::true_type {};

#endif  // TERN_PROTOCOL_WIRE_ERRC_H_

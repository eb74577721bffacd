// Encode, exact size, decode and print of AMQP methods and content headers, all derived from
// `describe`.
//
// Encoding takes two passes: encoded_size() validates and counts, then encode() writes without
// checks. Decoding gives views into the input and takes no memory at all: strings are views, and
// tables stay encoded (see table.h). A method's bytes start with its class and number, so what is
// encoded here is the payload of a method frame; frame.h puts frames around it.
//
// The code is instantiated once per method in methods/*.cc; this header only declares it. Pure
// functions without state: any thread.
#ifndef TERN_PROTOCOL_AMQP_CODEC_H_
#define TERN_PROTOCOL_AMQP_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "protocol/amqp/errors.h"
#include "protocol/amqp/method.h"
#include "protocol/amqp/table.h"
#include "protocol/wire/errc.h"
#include "protocol/wire/reader.h"
#include "protocol/wire/result.h"
#include "protocol/wire/writer.h"

namespace tern::amqp {

struct DecodeLimits {
  TableLimits tables;
};

// What is wrong with the payload of a frame, where, and what to close the connection with.
struct PayloadError {
  wire::DecodeError what;  // the field, and its byte in the payload
  MethodId id;             // 0 and 0 if not even that could be read; in a header, the class and 0
  const char* name = "";   // "basic.deliver", or "" for a method that is not known
  ReplyErrc reply = ReplyErrc::syntax_error;

  // "basic.deliver (60.60): routing_key: the input ends inside a value, at byte 17"
  std::string message() const;
};

// One class per method, so that one line instantiates all of it.
template <class M>
struct MethodCodec {
  static wire::Result<std::size_t> encoded_size(const M& message, const char** field);
  static void encode(const M& message, wire::Writer& writer);
  static bool decode(wire::Reader& reader, const DecodeLimits& limits, M& out);
  static std::string print(const M& message);
  static std::string schema();
};

// With the class and the number in front. Errors: too_large (a short string over 255 bytes, a long
// one over 4 GiB), null_not_allowed. `field`, if given, is set to the name of the offending field.
template <class M>
wire::Result<std::size_t> encoded_size(const M& message, const char** field = nullptr) {
  return MethodCodec<M>::encoded_size(message, field);
}

// Only after encoded_size() of the same message succeeded, into that much room.
template <class M>
void encode(const M& message, wire::Writer& writer) {
  MethodCodec<M>::encode(message, writer);
}

// From after the class and the number to the end of the input: bytes that are left over are an
// error. False: reader.error() says why.
template <class M>
[[nodiscard]] bool decode(wire::Reader& reader, const DecodeLimits& limits, M& out) {
  return MethodCodec<M>::decode(reader, limits, out);
}

// basic.qos{prefetch_size: 0, prefetch_count: 10, global: false}; secrets as ***.
template <class M>
std::string print(const M& message) {
  return MethodCodec<M>::print(message);
}

// What the description says, in the form of tests/golden/amqp/schema.txt.
template <class M>
std::string schema_dump() {
  return MethodCodec<M>::schema();
}

}  // namespace tern::amqp

#endif  // TERN_PROTOCOL_AMQP_CODEC_H_

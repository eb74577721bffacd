// The reply codes of AMQP: why a peer closes a connection or a channel, or returns a message.
//
// ReplyErrc holds the numbers of the protocol, so `static_cast<ReplyErrc>(close.reply_code)` is
// right for any number, one that nobody has defined included: its name is then "UNKNOWN". Pure
// functions; any thread.
#ifndef TERN_PROTOCOL_AMQP_ERRORS_H_
#define TERN_PROTOCOL_AMQP_ERRORS_H_

#include <cstdint>
#include <system_error>

namespace tern::amqp {

enum class ReplyErrc : std::uint16_t {
  success = 200,
  content_too_large = 311,
  no_route = 312,
  no_consumers = 313,
  connection_forced = 320,
  invalid_path = 402,
  access_refused = 403,
  not_found = 404,
  resource_locked = 405,
  precondition_failed = 406,
  frame_error = 501,
  syntax_error = 502,
  command_invalid = 503,
  channel_error = 504,
  unexpected_frame = 505,
  resource_error = 506,
  not_allowed = 530,
  not_implemented = 540,
  internal_error = 541,
};

// A hard error ends the connection, a soft one its channel. Undefined codes count as hard. A peer
// may close a connection with a soft code too: RabbitMQ refuses a login with 403.
bool is_hard(ReplyErrc code);

// "PRECONDITION_FAILED", as RabbitMQ begins its reply texts with; "UNKNOWN" for a code not listed.
const char* reply_name(ReplyErrc code);
// What it means, in a few words.
const char* reply_text(ReplyErrc code);

// Category "amqp"; the message is "NAME (number): text".
const std::error_category& reply_category();
// `success` gives an error_code that is false.
std::error_code make_error_code(ReplyErrc code);

}  // namespace tern::amqp

template <>
struct std::is_error_code_enum<tern::amqp::ReplyErrc> : std::true_type {};

#endif  // TERN_PROTOCOL_AMQP_ERRORS_H_

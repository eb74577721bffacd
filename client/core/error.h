// What can go wrong in a client, as std::error_code, and Failure, which adds where and why in
// words.
//
// Four enums are in use, each with a category of its own: ClientErrc (here), wire::Errc (bytes that
// make no sense), kafka::BrokerErrc (numbers of the protocol) and the system's own. `code ==
// Condition::retriable` and the like work across all of them.
#ifndef TERN_CLIENT_CORE_ERROR_H_
#define TERN_CLIENT_CORE_ERROR_H_

#include <memory>
#include <string>
#include <system_error>
#include <utility>

namespace tern {

enum class ClientErrc {
  // What became of a record or message that was to be sent.
  not_written = 1,  // certainly not stored by the broker: sending it again cannot make two of it
  maybe_written,    // sent, but no answer came: it may be stored
  // Why an operation ended.
  timed_out,            // its deadline passed
  closed,               // the client, producer or consumer was closed
  queue_full,           // the buffer limit is reached; wait for space and try again
  fenced,               // another instance has taken over this producer or member
  unsupported_version,  // the broker is too old or too new for what was asked
  protocol_violation,   // the peer sent what the protocol does not allow
  not_the_protocol,     // the peer does not speak the protocol at all
  frame_too_large,      // the peer announced more than the configured limit
  record_too_large,     // one record is above the limit of batch, request or broker
  no_broker,            // no broker could be reached
  unknown_topic,        // the topic does not exist and will not be created
  unknown_partition,    // the topic has no such partition
  invalid_config,       // a config value is out of range or does not fit another one
  invalid_argument,     // a call was given something it cannot use
  codec_missing,        // data is compressed with a codec that was not given in the config
  offset_out_of_range,  // a position does not exist, and the reset policy is none
  log_truncated,        // the log was cut back below the position (unclean leader election)
  busy,                 // the same operation is already waiting
  refused,              // the broker said no to a message, without a reason (AMQP's nack)
  revoked,              // the partition is not this group member's (any more)
};
const std::error_category& client_category();
std::error_code make_error_code(ClientErrc code);

// Classes of errors; compare with ==.
enum class Condition {
  retriable = 1,  // trying again later can help
  not_written,    // nothing was stored
  maybe_written,  // something may have been stored
  timed_out,      // a deadline passed, ours or the system's
  closed,         // this side ended it
};
std::error_condition make_error_condition(Condition condition);

// An error with its story: the code to decide by, and a sentence that says what happened, where
// (topic, partition, broker, stage) and what to do. Empty text on success; copying shares the text.
struct Failure {
  std::error_code code;
  std::shared_ptr<const std::string> text;

  Failure() = default;
  Failure(std::error_code error) : code(error) {}
  Failure(ClientErrc error) : code(make_error_code(error)) {}
  Failure(std::error_code error, std::string words)
      : code(error), text(std::make_shared<const std::string>(std::move(words))) {}

  explicit operator bool() const { return static_cast<bool>(code); }
  // The text if there is one, else the code's own message.
  std::string message() const { return text ? *text : code.message(); }
};

// Receives the text of a failure beside the error code of a call that is given one. It has to live
// until the operation has completed.
struct Diagnostics {
  std::string message;
};

}  // namespace tern

template <>
struct std::is_error_code_enum<tern::ClientErrc> : std::true_type {};
template <>
struct std::is_error_condition_enum<tern::Condition> : std::true_type {};

#endif  // TERN_CLIENT_CORE_ERROR_H_

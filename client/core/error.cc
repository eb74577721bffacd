#include "client/core/error.h"

#include <string_view>

namespace tern {
namespace {

const char* sentence(ClientErrc code) {
  switch (code) {
    case ClientErrc::not_written:
      return "not written";
    case ClientErrc::maybe_written:
      return "may have been written: no answer came";
    case ClientErrc::timed_out:
      return "timed out";
    case ClientErrc::closed:
      return "closed";
    case ClientErrc::queue_full:
      return "the buffer is full";
    case ClientErrc::fenced:
      return "fenced by a newer instance";
    case ClientErrc::unsupported_version:
      return "the broker does not support what was asked";
    case ClientErrc::protocol_violation:
      return "the peer broke the protocol";
    case ClientErrc::not_the_protocol:
      return "the peer does not speak the protocol";
    case ClientErrc::frame_too_large:
      return "the peer announced a frame above the limit";
    case ClientErrc::record_too_large:
      return "the record is too large";
    case ClientErrc::no_broker:
      return "no broker could be reached";
    case ClientErrc::unknown_topic:
      return "the topic does not exist";
    case ClientErrc::unknown_partition:
      return "the topic has no such partition";
    case ClientErrc::invalid_config:
      return "a config value cannot be used";
    case ClientErrc::invalid_argument:
      return "an argument cannot be used";
    case ClientErrc::codec_missing:
      return "no codec for this compression was configured";
    case ClientErrc::offset_out_of_range:
      return "the offset is out of range";
    case ClientErrc::log_truncated:
      return "the log was truncated below the position";
    case ClientErrc::busy:
      return "the same operation is already waiting";
    case ClientErrc::refused:
      return "the broker refused the message";
    case ClientErrc::revoked:
      return "the partition is not this group member's (any more)";
  }
  return "unknown client error";
}

class ClientCategory : public std::error_category {
 public:
  const char* name() const noexcept override { return "tern"; }
  std::string message(int value) const override { return sentence(static_cast<ClientErrc>(value)); }
};

bool is_network_error(const std::error_code& code) {
  // A resolver's codes have a category of their own; a name that does not resolve now may do so
  // later. Not so asio's own form of system errors, of which users see operation_aborted only.
  const std::string_view category = code.category().name();
  if (category.starts_with("asio.") && category != "asio.system") return true;
  return code == std::errc::connection_refused || code == std::errc::connection_reset ||
         code == std::errc::connection_aborted || code == std::errc::broken_pipe ||
         code == std::errc::network_unreachable || code == std::errc::host_unreachable ||
         code == std::errc::network_down || code == std::errc::timed_out;
}

// The categories of other targets say themselves which of their codes belong to a class, by
// overriding error_category::equivalent(); here are the client's own and the system's.
class ConditionCategory : public std::error_category {
 public:
  const char* name() const noexcept override { return "tern.condition"; }
  std::string message(int value) const override {
    switch (static_cast<Condition>(value)) {
      case Condition::retriable:
        return "retriable";
      case Condition::not_written:
        return "not written";
      case Condition::maybe_written:
        return "may have been written";
      case Condition::timed_out:
        return "timed out";
      case Condition::closed:
        return "closed";
    }
    return "unknown condition";
  }
  bool equivalent(const std::error_code& code, int condition) const noexcept override {
    const auto is = [&code](ClientErrc errc) { return code == make_error_code(errc); };
    switch (static_cast<Condition>(condition)) {
      case Condition::retriable:
        return is_network_error(code) || is(ClientErrc::timed_out) || is(ClientErrc::queue_full) ||
               is(ClientErrc::no_broker);
      case Condition::not_written:
        return is(ClientErrc::not_written) || is(ClientErrc::queue_full);
      case Condition::maybe_written:
        return is(ClientErrc::maybe_written);
      case Condition::timed_out:
        return is(ClientErrc::timed_out) || code == std::errc::timed_out;
      case Condition::closed:
        return is(ClientErrc::closed) || code == std::errc::operation_canceled;
    }
    return false;
  }
};

}  // namespace

const std::error_category& client_category() {
  static const ClientCategory category;
  return category;
}

std::error_code make_error_code(ClientErrc code) {
  return {static_cast<int>(code), client_category()};
}

std::error_condition make_error_condition(Condition condition) {
  static const ConditionCategory category;
  return {static_cast<int>(condition), category};
}

}  // namespace tern

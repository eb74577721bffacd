#include "protocol/amqp/errors.h"

#include <string>

namespace tern::amqp {
namespace {

struct Entry {
  ReplyErrc code;
  const char* name;
  bool hard;
  const char* text;
};

constexpr Entry kEntries[] = {
    {ReplyErrc::success, "SUCCESS", false, "no error"},
    {ReplyErrc::content_too_large, "CONTENT_TOO_LARGE", false,
     "the message is larger than the peer takes at the moment"},
    {ReplyErrc::no_route, "NO_ROUTE", false,
     "no queue is bound for a message that has to be routed"},
    {ReplyErrc::no_consumers, "NO_CONSUMERS", false,
     "no consumer is there for a message that has to be delivered at once"},
    {ReplyErrc::connection_forced, "CONNECTION_FORCED", true,
     "an operator or a shutdown of the broker closed the connection"},
    {ReplyErrc::invalid_path, "INVALID_PATH", true, "there is no such virtual host"},
    {ReplyErrc::access_refused, "ACCESS_REFUSED", false,
     "the user may not do this, or the login was refused"},
    {ReplyErrc::not_found, "NOT_FOUND", false, "there is no such exchange, queue or binding"},
    {ReplyErrc::resource_locked, "RESOURCE_LOCKED", false,
     "the queue belongs to another connection alone"},
    {ReplyErrc::precondition_failed, "PRECONDITION_FAILED", false,
     "what is there already, or what was asked before, does not allow it"},
    {ReplyErrc::frame_error, "FRAME_ERROR", true, "a frame that cannot be read"},
    {ReplyErrc::syntax_error, "SYNTAX_ERROR", true, "a field with a value that is not allowed"},
    {ReplyErrc::command_invalid, "COMMAND_INVALID", true,
     "a method that does not exist or does not belong there"},
    {ReplyErrc::channel_error, "CHANNEL_ERROR", true,
     "a channel that is not open, or open already"},
    {ReplyErrc::unexpected_frame, "UNEXPECTED_FRAME", true, "a frame that was not to come next"},
    {ReplyErrc::resource_error, "RESOURCE_ERROR", true, "the peer lacks the resources for it"},
    {ReplyErrc::not_allowed, "NOT_ALLOWED", true, "the peer does not allow it"},
    {ReplyErrc::not_implemented, "NOT_IMPLEMENTED", true, "the peer cannot do it"},
    {ReplyErrc::internal_error, "INTERNAL_ERROR", true, "the peer failed; its log says more"},
};

constexpr Entry kUnknown{ReplyErrc{}, "UNKNOWN", true, "a reply code that AMQP does not define"};

const Entry& entry(ReplyErrc code) {
  for (const Entry& e : kEntries) {
    if (e.code == code) return e;
  }
  return kUnknown;
}

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "amqp"; }
  std::string message(int number) const override {
    const Entry& e = entry(static_cast<ReplyErrc>(number));
    return std::string(e.name) + " (" + std::to_string(number) + "): " + e.text;
  }
};

}  // namespace

bool is_hard(ReplyErrc code) { return entry(code).hard; }
const char* reply_name(ReplyErrc code) { return entry(code).name; }
const char* reply_text(ReplyErrc code) { return entry(code).text; }

const std::error_category& reply_category() {
  static const Category category;
  return category;
}

std::error_code make_error_code(ReplyErrc code) {
  const int number = code == ReplyErrc::success ? 0 : static_cast<int>(code);
  return {number, reply_category()};
}

}  // namespace tern::amqp

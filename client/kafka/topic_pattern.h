// TopicPattern: a regular expression for names of topics.
//
// ECMAScript, and the whole name has to match, as the Java client has it. Any thread.
#ifndef TERN_CLIENT_KAFKA_TOPIC_PATTERN_H_
#define TERN_CLIENT_KAFKA_TOPIC_PATTERN_H_

#include <memory>
#include <string>
#include <string_view>

#include "client/core/error.h"

namespace tern::kafka {

class TopicPattern {
 public:
  TopicPattern() = default;
  // An empty text matches nothing. ClientErrc::invalid_argument, with what is wrong with it.
  static Failure parse(const std::string& text, TopicPattern& out);

  explicit operator bool() const { return expression_ != nullptr; }
  // Also false for a name that it takes too much effort to compare.
  bool matches(std::string_view name) const;
  const std::string& text() const { return text_; }

 private:
  struct Expression;
  std::string text_;
  std::shared_ptr<const Expression> expression_;
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_TOPIC_PATTERN_H_

#include "client/kafka/topic_pattern.h"

#include <regex>

namespace tern::kafka {

struct TopicPattern::Expression {
  std::regex regex;
};

// The standard library has no other way to tell of a bad expression than an exception.
Failure TopicPattern::parse(const std::string& text, TopicPattern& out) {
  TopicPattern pattern;
  pattern.text_ = text;
  try {
    if (!text.empty()) {
      pattern.expression_ = std::make_shared<const Expression>(
          Expression{std::regex(text, std::regex::ECMAScript | std::regex::optimize)});
    }
  } catch (const std::regex_error& error) {
    return Failure(make_error_code(ClientErrc::invalid_argument),
                   "\"" + text + "\" is no regular expression: " + error.what());
  }
  out = std::move(pattern);
  return {};
}

bool TopicPattern::matches(std::string_view name) const {
  if (!expression_) return false;
  try {
    return std::regex_match(name.begin(), name.end(), expression_->regex);
  } catch (const std::regex_error&) {
    return false;
  }
}

}  // namespace tern::kafka

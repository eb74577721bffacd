// The syntax of .properties files.
#include <cstdint>

#include "client/kafka/properties.h"

namespace tern::kafka {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\f'; }
bool ends_line(char c) { return c == '\n' || c == '\r'; }

// Logical lines: comments and empty lines left out, continued ones joined.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {}

  // False at the end. `line` keeps its escapes; `number` is where it begins.
  bool next(std::string& line, int& number) {
    line.clear();
    while (at_ < text_.size()) {
      skip_blanks();
      if (line.empty()) {
        number = number_;
        if (at_ < text_.size() && (text_[at_] == '#' || text_[at_] == '!')) {
          while (at_ < text_.size() && !ends_line(text_[at_])) ++at_;
        }
      }
      const bool continued = take_natural_line(line);
      if (!continued && !line.empty()) return true;
    }
    return !line.empty();
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }

  // Adds what is left of the line; true if its last backslash, which is not added, continues it.
  bool take_natural_line(std::string& line) {
    bool backslash = false;
    for (; at_ < text_.size() && !ends_line(text_[at_]); ++at_) {
      backslash = text_[at_] == '\\' && !backslash;
      line += text_[at_];
    }
    if (at_ < text_.size()) {
      at_ += text_.substr(at_).starts_with("\r\n") ? 2 : 1;
      ++number_;
    }
    if (backslash) line.pop_back();
    return backslash;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int number_ = 1;
};

void add_utf8(std::uint32_t code, std::string& out) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | ((code >> shift) & 0x3f)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0 | (code >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

// Four hexadecimal digits.
bool take_unit(std::string_view& text, std::uint32_t& unit) {
  if (text.size() < 4) return false;
  unit = 0;
  for (const char c : text.substr(0, 4)) {
    const bool digit = c >= '0' && c <= '9';
    const char lower = static_cast<char>(c | 0x20);
    if (!digit && (lower < 'a' || lower > 'f')) return false;
    unit = unit * 16 + static_cast<std::uint32_t>(digit ? c - '0' : lower - 'a' + 10);
  }
  text.remove_prefix(4);
  return true;
}

// What follows "\u": one code point, which may take a second "\uXXXX".
bool take_code_point(std::string_view& text, std::string& out) {
  std::uint32_t code = 0;
  if (!take_unit(text, code)) return false;
  if (code >= 0xd800 && code < 0xe000) {
    std::uint32_t low = 0;
    if (code >= 0xdc00 || !text.starts_with("\\u")) return false;
    text.remove_prefix(2);
    if (!take_unit(text, low) || low < 0xdc00 || low >= 0xe000) return false;
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  }
  add_utf8(code, out);
  return true;
}

// False for a \u that is not followed by four digits, or is half of a pair.
bool unescape(std::string_view text, std::string& out) {
  out.clear();
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c != '\\' || text.empty()) {
      out += c;
      continue;
    }
    const char escaped = text.front();
    text.remove_prefix(1);
    switch (escaped) {
      case 't':
        out += '\t';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 'f':
        out += '\f';
        break;
      case 'u':
        if (!take_code_point(text, out)) return false;
        break;
      default:
        out += escaped;
    }
  }
  return true;
}

// The name ends at the first separator that is not escaped; one = or : with blanks around it, or
// blanks alone, stand between it and the value.
void split(std::string_view line, std::string_view& name, std::string_view& value) {
  std::size_t end = 0;
  while (end < line.size() && line[end] != '=' && line[end] != ':' && !is_blank(line[end])) {
    end += line[end] == '\\' ? 2 : 1;
  }
  end = std::min(end, line.size());
  name = line.substr(0, end);
  value = line.substr(end);
  const auto skip = [&] {
    while (!value.empty() && is_blank(value.front())) value.remove_prefix(1);
  };
  skip();
  if (!value.empty() && (value.front() == '=' || value.front() == ':')) value.remove_prefix(1);
  skip();
}

}  // namespace

Failure read_properties(std::string_view text, std::vector<Property>& out) {
  std::vector<Property> found;
  Lines lines(text);
  std::string line;
  int number = 0;
  while (lines.next(line, number)) {
    std::string_view name;
    std::string_view value;
    split(line, name, value);
    Property property;
    property.line = number;
    if (!unescape(name, property.name) || !unescape(value, property.value)) {
      return Failure(make_error_code(ClientErrc::invalid_config),
                     "line " + std::to_string(number) +
                         ": \\u needs four hexadecimal digits (two of them for a character beyond "
                         "\\uFFFF); a backslash itself is written \\\\");
    }
    found.push_back(std::move(property));
  }
  out.insert(out.end(), std::make_move_iterator(found.begin()),
             std::make_move_iterator(found.end()));
  return {};
}

}  // namespace tern::kafka

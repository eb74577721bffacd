#include "tests/broker/topic_pattern.h"

#include <utility>

namespace tern::broker {

namespace {

constexpr std::size_t kMaxPattern = 1000;
constexpr int kMaxDepth = 50;

std::size_t code_of(char c) { return static_cast<unsigned char>(c); }

template <class Chars>
void add_range(Chars& chars, char from, char to) {
  for (std::size_t c = code_of(from); c <= code_of(to); ++c) chars.set(c);
}

}  // namespace

TopicPattern::TopicPattern(std::string_view pattern) : pattern_(pattern) {
  Piece whole;
  if (pattern.size() > kMaxPattern) return;
  // The whole name has to match anyway.
  if (pattern_.starts_with('^')) pattern_.remove_prefix(1);
  if (pattern_.ends_with('$') && !pattern_.ends_with("\\$")) pattern_.remove_suffix(1);
  if (!parse_choice(whole, 0) || !at_end()) return;
  connect(whole.exits, add({}));
  entry_ = whole.entry;
  valid_ = true;
}

bool TopicPattern::accept(char c) {
  if (at_end() || pattern_[at_] != c) return false;
  ++at_;
  return true;
}

std::size_t TopicPattern::add(Step step) {
  steps_.push_back(std::move(step));
  return steps_.size() - 1;
}

void TopicPattern::connect(const std::vector<Exit>& exits, std::size_t to) {
  for (const Exit& exit : exits)
    (exit.other ? steps_[exit.step].other : steps_[exit.step].next) = to;
}

TopicPattern::Piece TopicPattern::one_of(const Chars& chars) {
  const std::size_t step = add({Step::Kind::one_of, chars, 0, 0});
  return {step, {{step, false}}};
}

// A step that goes on by itself, both ways to the same place.
TopicPattern::Piece TopicPattern::nothing() {
  const std::size_t step = add({Step::Kind::split, {}, 0, 0});
  return {step, {{step, false}, {step, true}}};
}

// ------------------------------------------------------------------------------------------
// parsing

bool TopicPattern::parse_choice(Piece& out, int depth) {
  if (depth > kMaxDepth || !parse_sequence(out, depth)) return false;
  while (accept('|')) {
    Piece other;
    if (!parse_sequence(other, depth)) return false;
    const std::size_t split = add({Step::Kind::split, {}, out.entry, other.entry});
    out.entry = split;
    out.exits.insert(out.exits.end(), other.exits.begin(), other.exits.end());
  }
  return true;
}

bool TopicPattern::parse_sequence(Piece& out, int depth) {
  out = nothing();
  while (!at_end() && pattern_[at_] != '|' && pattern_[at_] != ')') {
    Piece next;
    if (!parse_repeated(next, depth)) return false;
    connect(out.exits, next.entry);
    out.exits = std::move(next.exits);
  }
  return true;
}

bool TopicPattern::parse_repeated(Piece& out, int depth) {
  if (!parse_atom(out, depth)) return false;
  while (!at_end() && (pattern_[at_] == '*' || pattern_[at_] == '+' || pattern_[at_] == '?')) {
    const char how = pattern_[at_++];
    const std::size_t split = add({Step::Kind::split, {}, out.entry, 0});
    if (how != '?') {
      connect(out.exits, split);
      out.exits.clear();
    }
    if (how != '+') out.entry = split;
    out.exits.push_back({split, true});
  }
  return true;
}

bool TopicPattern::parse_atom(Piece& out, int depth) {
  const char c = pattern_[at_++];
  Chars chars;
  switch (c) {
    case '(':
      if (accept('?') && !accept(':')) return false;
      return parse_choice(out, depth + 1) && accept(')');
    case '[':
      if (!parse_class(chars)) return false;
      break;
    case '\\':
      if (!parse_escape(chars)) return false;
      break;
    case '.':
      chars.set();
      break;
    case '*':
    case '+':
    case '?':
    case '{':
    case '^':
    case '$':
      return false;
    default:
      chars.set(code_of(c));
      break;
  }
  out = one_of(chars);
  return true;
}

bool TopicPattern::parse_escape(Chars& out) {
  if (at_end()) return false;
  const char c = pattern_[at_++];
  switch (c) {
    case 'd':
      add_range(out, '0', '9');
      return true;
    case 'w':
      add_range(out, '0', '9');
      add_range(out, 'a', 'z');
      add_range(out, 'A', 'Z');
      out.set(code_of('_'));
      return true;
    case 's':
      for (const char space : {' ', '\t', '\n', '\r', '\f'}) out.set(code_of(space));
      return true;
    default:
      break;
  }
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  out.set(code_of(c));
  return !letter;
}

bool TopicPattern::parse_class(Chars& out) {
  const bool negated = accept('^');
  bool first = true;
  while (first || !accept(']')) {
    first = false;
    if (at_end()) return false;
    const char from = pattern_[at_++];
    if (from == '\\') {
      if (!parse_escape(out)) return false;
      continue;
    }
    const bool range =
        at_ + 1 < pattern_.size() && pattern_[at_] == '-' && pattern_[at_ + 1] != ']';
    if (!range) {
      out.set(code_of(from));
      continue;
    }
    const char to = pattern_[at_ + 1];
    at_ += 2;
    if (code_of(to) < code_of(from)) return false;
    add_range(out, from, to);
  }
  if (negated) out.flip();
  return true;
}

// -----------------------------------------------------------------------------------------
// matching

// All steps that take a character, or are the end, and are reached from here without one.
void TopicPattern::follow(std::size_t step, std::vector<bool>& seen,
                          std::vector<std::size_t>& out) const {
  std::vector<std::size_t> open{step};
  while (!open.empty()) {
    const std::size_t at = open.back();
    open.pop_back();
    if (seen[at]) continue;
    seen[at] = true;
    if (steps_[at].kind == Step::Kind::split) {
      open.push_back(steps_[at].next);
      open.push_back(steps_[at].other);
    } else {
      out.push_back(at);
    }
  }
}

bool TopicPattern::matches(std::string_view name) const {
  if (!valid_) return false;
  std::vector<bool> seen(steps_.size());
  std::vector<std::size_t> now;
  follow(entry_, seen, now);
  for (const char c : name) {
    std::vector<std::size_t> next;
    seen.assign(steps_.size(), false);
    for (const std::size_t at : now) {
      const Step& step = steps_[at];
      if (step.kind == Step::Kind::one_of && step.chars[code_of(c)]) follow(step.next, seen, next);
    }
    now = std::move(next);
  }
  for (const std::size_t at : now) {
    if (steps_[at].kind == Step::Kind::done) return true;
  }
  return false;
}

}  // namespace tern::broker

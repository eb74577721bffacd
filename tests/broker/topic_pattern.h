// TopicPattern: the regular expressions by which members of a consumer group (KIP-848) subscribe.
//
// The part of RE2's syntax that topics are named with: characters, '.', classes, groups, '|', '*',
// '+', '?', \d \w \s and escaped characters. The whole name has to match. Matching takes time in
// proportion to pattern times name, whatever the pattern.
#ifndef TERN_TESTS_BROKER_TOPIC_PATTERN_H_
#define TERN_TESTS_BROKER_TOPIC_PATTERN_H_

#include <bitset>
#include <cstddef>
#include <string_view>
#include <vector>

namespace tern::broker {

class TopicPattern {
 public:
  explicit TopicPattern(std::string_view pattern);

  // False for what is no regular expression, or none of this kind, or too long.
  bool valid() const { return valid_; }
  bool matches(std::string_view name) const;  // nothing, if not valid

 private:
  using Chars = std::bitset<256>;
  struct Step {
    enum class Kind { one_of, split, done } kind = Kind::done;
    Chars chars;           // one_of
    std::size_t next = 0;  // one_of and split
    std::size_t other = 0;
  };
  // A piece of the program with one entry; every exit is an index into steps_ whose `next` (or,
  // with the flag, `other`) is still to be set.
  struct Exit {
    std::size_t step;
    bool other;
  };
  struct Piece {
    std::size_t entry = 0;
    std::vector<Exit> exits;
  };

  bool at_end() const { return at_ == pattern_.size(); }
  bool accept(char c);
  std::size_t add(Step step);
  void connect(const std::vector<Exit>& exits, std::size_t to);
  bool parse_choice(Piece& out, int depth);
  bool parse_sequence(Piece& out, int depth);
  bool parse_repeated(Piece& out, int depth);
  bool parse_atom(Piece& out, int depth);
  bool parse_class(Chars& out);
  bool parse_escape(Chars& out);
  Piece one_of(const Chars& chars);
  Piece nothing();
  void follow(std::size_t step, std::vector<bool>& seen, std::vector<std::size_t>& out) const;

  std::string_view pattern_;
  std::size_t at_ = 0;
  std::vector<Step> steps_;
  std::size_t entry_ = 0;
  bool valid_ = false;
};

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_TOPIC_PATTERN_H_

// Format strings of kcat (-f), and delimiters (-D, -K): which bytes a record is written as.
#ifndef TERN_CLIENT_CLI_TEXT_FORMAT_H_
#define TERN_CLIENT_CLI_TEXT_FORMAT_H_

#include <string>
#include <string_view>
#include <vector>

#include "client/kafka/consumer_records.h"

namespace tern::cli {

// \n \r \t \0 \\ and \xNN as the bytes they stand for; a backslash before anything else is left
// out. Throws UsageError for \x without a digit.
std::string unescape(std::string_view text);

// Once made it is not changed; any thread may write with it.
class TextFormat {
 public:
  // %t %p %o %k %K %s %S %R %T %h %% as kcat has them; throws UsageError for others. With `nulls`,
  // null keys and values are written as NULL.
  TextFormat(std::string_view format, bool nulls);
  // offset, key delimiter, key, key delimiter, value, delimiter; the key only with `key_delimiter`,
  // the offset only if `offsets` is set as well.
  TextFormat(const std::string* key_delimiter, std::string_view delimiter, bool offsets,
             bool nulls);

  void append(const kafka::ConsumerRecord& record, std::string& out) const;

 private:
  struct Piece {
    char what;  // the letter after %, or 0: `text`
    std::string text;
  };
  void add_text(std::string_view text);
  void add_field(char what) { pieces_.push_back({what, {}}); }
  void append_nullable(const wire::Bytes& bytes, std::string& out) const;

  std::vector<Piece> pieces_;
  bool nulls_;
};

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_TEXT_FORMAT_H_

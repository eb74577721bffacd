// Format strings of kcat (-f), and delimiters (-D, -K): which bytes a record is written as.
#ifndef TERN_CLIENT_CLI_TEXT_FORMAT_H_
#define TERN_CLIENT_CLI_TEXT_FORMAT_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/pack_format.h"
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

  // How keys and values that are not empty are written from now on.
  void unpack_keys(const PackFormat& format) { key_format_ = format; }
  void unpack_values(const PackFormat& format) { value_format_ = format; }

  // Returns what is wrong with the key or the value, or an empty string; `out` is as it was then.
  std::string append(const kafka::ConsumerRecord& record, std::string& out) const;

 private:
  struct Piece {
    char what;  // the letter after %, or 0: `text`
    std::string text;
  };
  void add_text(std::string_view text);
  void add_field(char what) { pieces_.push_back({what, {}}); }
  std::string append_bytes(const wire::Bytes& bytes, const std::optional<PackFormat>& format,
                           std::string& out) const;

  std::vector<Piece> pieces_;
  bool nulls_;
  std::optional<PackFormat> key_format_;
  std::optional<PackFormat> value_format_;
};

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_TEXT_FORMAT_H_

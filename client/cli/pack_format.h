// Binary keys and values as text (-s), by kcat's pack strings, which are Python's struct formats:
// "q" is a big-endian int64, "<hs" a little-endian int16 and then text.
#ifndef TERN_CLIENT_CLI_PACK_FORMAT_H_
#define TERN_CLIENT_CLI_PACK_FORMAT_H_

#include <string>
#include <string_view>

namespace tern::cli {

// Once made it is not changed; any thread may write with it.
class PackFormat {
 public:
  // < > for the order of bytes from there on (big-endian at first); b h i q signed integers of 1,
  // 2, 4 and 8 bytes, B H I Q unsigned ones, c one byte as it is, s all that is left as it is, $
  // nothing may be left, a blank is written as one. Throws UsageError for anything else, and for
  // `avro`.
  explicit PackFormat(std::string_view format);

  // What bytes the format does not ask for are passed over. Returns what is wrong, or an empty
  // string; `out` has what could be read before that.
  std::string append(std::string_view bytes, std::string& out) const;

 private:
  std::string format_;
};

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_PACK_FORMAT_H_

#include "client/cli/pack_format.h"

#include <charconv>
#include <cstddef>
#include <cstdint>

#include "client/cli/arguments.h"

namespace tern::cli {
namespace {

// 0: not a number.
std::size_t width_of(char token) {
  switch (token) {
    case 'b':
    case 'B':
      return 1;
    case 'h':
    case 'H':
      return 2;
    case 'i':
    case 'I':
      return 4;
    case 'q':
    case 'Q':
      return 8;
    default:
      return 0;
  }
}

bool is_signed(char token) { return token >= 'a'; }

void append_number(std::string_view bytes, bool little, bool with_sign, std::string& out) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char byte = bytes[little ? bytes.size() - 1 - i : i];
    bits = bits << 8 | static_cast<unsigned char>(byte);
  }
  char digits[24];
  char* end = nullptr;
  if (with_sign) {
    const int unused = 64 - 8 * static_cast<int>(bytes.size());
    const auto number = static_cast<std::int64_t>(bits << unused) >> unused;
    end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
  } else {
    end = std::to_chars(digits, digits + sizeof(digits), bits).ptr;
  }
  out.append(digits, end);
}

}  // namespace

PackFormat::PackFormat(std::string_view format) : format_(format) {
  if (format == "avro") {
    throw UsageError(
        "-s avro: Avro and schema registries are not supported; -s value=bIs tells the id of the "
        "schema and what follows it, -J has the bytes");
  }
  if (format.empty()) throw UsageError("-s: needs a format, as in -s key=q");
  for (const char token : format) {
    if (std::string_view(" <>bBhHiIqQcs$").find(token) != std::string_view::npos) continue;
    throw UsageError(
        "-s: there is no " + std::string(1, token) +
        "; there are < > for little and big endian, b h i q and B H I Q for integers of "
        "1, 2, 4 and 8 bytes, c for a character, s for all that is left, and $ for the "
        "end");
  }
}

std::string PackFormat::append(std::string_view bytes, std::string& out) const {
  bool little = false;
  for (const char token : format_) {
    const std::size_t width = token == 'c' ? 1 : width_of(token);
    if (width > bytes.size()) {
      return std::string(1, token) + " needs " + std::to_string(width) + " bytes, and " +
             std::to_string(bytes.size()) + " are left";
    }
    if (token == '<' || token == '>') {
      little = token == '<';
    } else if (token == ' ') {
      out += ' ';
    } else if (token == 's') {
      out += bytes;
      bytes = {};
    } else if (token == 'c') {
      out += bytes.front();
    } else if (width != 0) {
      append_number(bytes.substr(0, width), little, is_signed(token), out);
    } else if (!bytes.empty()) {
      return "$ wants no more, and " + std::to_string(bytes.size()) + " bytes are left";
    }
    bytes.remove_prefix(width);
  }
  return {};
}

}  // namespace tern::cli

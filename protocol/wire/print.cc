#include "protocol/wire/print.h"

namespace tern::wire {

void print_hex_byte(std::string& out, unsigned char byte) {
  constexpr char kDigits[] = "0123456789abcdef";
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15U];
}

void print_text(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      print_hex_byte(out, byte);
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  out += '"';
}

void print_hex(std::string& out, std::string_view bytes) {
  constexpr std::size_t kShown = 32;
  out += "0x";
  for (const char c : bytes.substr(0, kShown)) print_hex_byte(out, static_cast<unsigned char>(c));
  if (bytes.size() > kShown) out += "... (" + std::to_string(bytes.size()) + " bytes)";
}

}  // namespace tern::wire

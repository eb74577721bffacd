#include "protocol/kafka/codec.h"

#include "protocol/kafka/codec_print.h"

namespace tern::kafka::internal {
namespace {

void append_hex_byte(std::string& out, unsigned char byte) {
  constexpr char kDigits[] = "0123456789abcdef";
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15U];
}

}  // namespace

void print_text(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      append_hex_byte(out, byte);
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
  for (const char c : bytes.substr(0, kShown)) append_hex_byte(out, static_cast<unsigned char>(c));
  if (bytes.size() > kShown) out += "... (" + std::to_string(bytes.size()) + " bytes)";
}

void print_uuid(std::string& out, const Uuid& id) {
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    append_hex_byte(out, id.bytes[i]);
  }
}

void append_range(std::string& out, int first, int last) {
  out += std::to_string(first) + "-" + std::to_string(last);
}

}  // namespace tern::kafka::internal

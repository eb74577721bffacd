#include "client/cli/text_format.h"

#include <charconv>

#include "client/cli/arguments.h"

namespace tern::cli {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

void append_number(std::int64_t number, std::string& out) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
  out.append(digits, end);
}

std::int64_t length_of(const wire::Bytes& bytes) {
  return bytes.is_null() ? -1 : static_cast<std::int64_t>(bytes.size());
}

void append_big_endian(std::int64_t length, std::string& out) {
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(length >> shift);
}

void append_headers(const kafka::HeadersView& headers, std::string& out) {
  bool first = true;
  for (const kafka::Header& header : headers) {
    if (!first) out += ',';
    first = false;
    out += header.key.view();
    out += '=';
    out += header.value.is_null() ? std::string_view("NULL") : header.value.view();
  }
}

}  // namespace

std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    if (c != 'x') {
      out += c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c == '0' ? '\0' : c;
      continue;
    }
    int byte = 0;
    int digits = 0;
    for (; digits < 2 && i + 1 < text.size() && hex_digit(text[i + 1]) >= 0; ++digits) {
      byte = byte * 16 + hex_digit(text[++i]);
    }
    if (digits == 0) throw UsageError("\\x needs one or two hexadecimal digits, as in \\x1f");
    out += static_cast<char>(byte);
  }
  return out;
}

TextFormat::TextFormat(std::string_view format, bool nulls) : nulls_(nulls) {
  std::size_t at = 0;
  while (at < format.size()) {
    const std::size_t percent = std::min(format.find('%', at), format.size());
    if (percent > at) add_text(unescape(format.substr(at, percent - at)));
    if (percent == format.size()) break;
    const char what = percent + 1 < format.size() ? format[percent + 1] : '\0';
    if (what == '%') {
      add_text("%");
    } else if (what != '\0' &&
               std::string_view("tpokKsSRTh").find(what) != std::string_view::npos) {
      add_field(what);
    } else {
      throw UsageError("-f: there is no %" + std::string(what == '\0' ? 0 : 1, what) +
                       "; there are %t %p %o %k %K %s %S %R %T %h and %%");
    }
    at = percent + 2;
  }
}

TextFormat::TextFormat(const std::string* key_delimiter, std::string_view delimiter, bool offsets,
                       bool nulls)
    : nulls_(nulls) {
  if (key_delimiter) {
    if (offsets) {
      add_field('o');
      add_text(*key_delimiter);
    }
    add_field('k');
    add_text(*key_delimiter);
  }
  add_field('s');
  add_text(delimiter);
}

void TextFormat::add_text(std::string_view text) {
  if (text.empty()) return;
  if (pieces_.empty() || pieces_.back().what != '\0') pieces_.push_back({'\0', {}});
  pieces_.back().text += text;
}

std::string TextFormat::append_bytes(const wire::Bytes& bytes,
                                     const std::optional<PackFormat>& format,
                                     std::string& out) const {
  if (bytes.is_null()) {
    if (nulls_) out += "NULL";
  } else if (format && !bytes.view().empty()) {
    return format->append(bytes.view(), out);
  } else {
    out.append(bytes.data(), bytes.size());
  }
  return {};
}

std::string TextFormat::append(const kafka::ConsumerRecord& record, std::string& out) const {
  const std::size_t before = out.size();
  const auto give_up = [&](const char* what, const std::string& why) {
    out.resize(before);
    return std::string(what) + " of " + std::string(record.topic.view()) + " [" +
           std::to_string(record.partition) + "] at offset " + std::to_string(record.offset) +
           " is not what -s says: " + why;
  };
  for (const Piece& piece : pieces_) {
    switch (piece.what) {
      case '\0':
        out += piece.text;
        break;
      case 't':
        out += record.topic.view();
        break;
      case 'p':
        append_number(record.partition, out);
        break;
      case 'o':
        append_number(record.offset, out);
        break;
      case 'k':
        if (const std::string why = append_bytes(record.key, key_format_, out); !why.empty()) {
          return give_up("the key", why);
        }
        break;
      case 'K':
        append_number(length_of(record.key), out);
        break;
      case 's':
        if (const std::string why = append_bytes(record.value, value_format_, out); !why.empty()) {
          return give_up("the value", why);
        }
        break;
      case 'S':
        append_number(length_of(record.value), out);
        break;
      case 'R':
        append_big_endian(length_of(record.value), out);
        break;
      case 'T':
        append_number(record.timestamp_ms, out);
        break;
      default:
        append_headers(record.headers, out);
    }
  }
  return {};
}

}  // namespace tern::cli

// Values as text, for people: what the printers of both protocols share. Pure functions.
#ifndef TERN_PROTOCOL_WIRE_PRINT_H_
#define TERN_PROTOCOL_WIRE_PRINT_H_

#include <string>
#include <string_view>

namespace tern::wire {

// "in quotes", with control characters as \x1f.
void print_text(std::string& out, std::string_view text);
// 0x0102, or the first 32 bytes and how many there are.
void print_hex(std::string& out, std::string_view bytes);
void print_hex_byte(std::string& out, unsigned char byte);

}  // namespace tern::wire

#endif  // TERN_PROTOCOL_WIRE_PRINT_H_

#include "client/cli/kcat_flags.h"

#include <string_view>

#include "client/cli/arguments.h"

namespace tern::cli {
namespace {

constexpr std::string_view kModes = "PCLQMG";
constexpr std::string_view kWithValue = "GMtpbzoDKkHcmfdFXsr";

bool contains(std::string_view letters, char letter) {
  return letters.find(letter) != std::string_view::npos;
}

void set(KcatMode& mode, char letter) {
  if (mode.letter != 0 && mode.letter != letter) {
    throw UsageError(std::string("-") + mode.letter + " and -" + letter + ": one of them");
  }
  mode.letter = letter;
}

}  // namespace

KcatMode take_mode(std::vector<std::string>& arguments) {
  KcatMode mode;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string& word = arguments[i];
    if (word == "--") break;
    if (word == "--group" || word.starts_with("--group=")) set(mode, 'G');
    mode.quiet = mode.quiet || word == "--quiet";
    if (word.size() < 2 || word[0] != '-' || word[1] == '-') continue;
    for (std::size_t at = 1; at < word.size();) {
      const char letter = word[at];
      const bool is_mode = contains(kModes, letter);
      if (is_mode) set(mode, letter);
      mode.quiet = mode.quiet || letter == 'q';
      if (contains(kWithValue, letter)) {
        if (at + 1 == word.size()) ++i;  // the value is the next word
        break;
      }
      if (is_mode) {
        word.erase(at, 1);
      } else {
        ++at;
      }
    }
    if (word == "-") arguments.erase(arguments.begin() + static_cast<std::ptrdiff_t>(i--));
  }
  return mode;
}

const char* kcat_hint(char letter) {
  switch (letter) {
    case 'G':
      return "groups are for reading: `tern kafka consume -G GROUP TOPIC...`";
    case 'P':
    case 'C':
    case 'L':
    case 'Q':
      return "names a command, and one is named already";
    case 'r':
      return "schema registries and Avro are not supported; `consume -s value=bIs` tells the id of "
             "the schema and what follows it, -J has the bytes";
    case 'M':
      return "`tern broker --kafka PORT --nodes N` serves an embedded cluster";
    case 'U':
      return "runs kcat's tests of itself, which are not here";
    case 's':
    case 'o':
    case 'e':
    case 'f':
    case 'O':
    case 'u':
      return "is for reading: `tern kafka consume`";
    case 'k':
    case 'H':
    case 'l':
    case 'T':
    case 'z':
      return "is for sending: `tern kafka produce`";
    case 'p':
    case 'c':
    case 'D':
    case 'K':
    case 'Z':
      return "is for reading and sending: `tern kafka consume`, `tern kafka produce`";
    default:
      return nullptr;
  }
}

}  // namespace tern::cli

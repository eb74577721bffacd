// kcat's way to say which command is meant: one letter (-P -C -L -Q -G) anywhere among the others,
// also glued to them ("-CJet topic"), or none of them. And what to say about what kcat has and
// `tern kafka` has not.
#ifndef TERN_CLIENT_CLI_KCAT_FLAGS_H_
#define TERN_CLIENT_CLI_KCAT_FLAGS_H_

#include <string>
#include <vector>

namespace tern::cli {

struct KcatMode {
  char letter = 0;  // P, C, L, Q or M, which is taken out of the arguments; G, which stays; 0: none
  bool quiet = false;
};
// Values of options are not looked at. Throws UsageError for two modes.
KcatMode take_mode(std::vector<std::string>& arguments);

// For a letter that a command does not know: where it belongs, or what to do instead. Null: kcat
// does not know it either.
const char* kcat_hint(char letter);

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_KCAT_FLAGS_H_

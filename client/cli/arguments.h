// Command line arguments: "--name value", "--name=value" and "--flag". What is wrong with them is
// said in one sentence.
#ifndef TERN_CLIENT_CLI_ARGUMENTS_H_
#define TERN_CLIENT_CLI_ARGUMENTS_H_

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace tern::cli {

// Thrown for what the user got wrong; main() prints it and exits with 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Arguments {
 public:
  explicit Arguments(std::vector<std::string> arguments) : left_(std::move(arguments)) {}

  // Each takes its option out, wherever it stands.
  bool flag(std::string_view name);
  std::string text(std::string_view name, std::string otherwise);
  std::int64_t number(std::string_view name, std::int64_t otherwise, std::int64_t least,
                      std::int64_t most);
  // All that has not been taken, as it stands.
  const std::vector<std::string>& rest() const { return left_; }
  // Throws if anything has not been taken.
  void expect_none() const;

 private:
  bool take(std::string_view name, std::string& value);
  std::vector<std::string> left_;
};

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_ARGUMENTS_H_

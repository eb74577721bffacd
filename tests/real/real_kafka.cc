#include "tests/real/real_kafka.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <future>
#include <iostream>
#include <sstream>

#include "tests/real/environment.h"

extern char** environ;

namespace tern::real {
namespace {

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  std::string part;
  std::istringstream stream{std::string(text)};
  while (std::getline(stream, part, separator)) {
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

// Three pipes to a child, closed on every way out.
struct Pipe {
  std::array<int, 2> ends{-1, -1};

  Pipe() {
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  void close_end(std::size_t end) {
    if (ends[end] >= 0) ::close(ends[end]);
    ends[end] = -1;
  }
};

// Reads once; closes the end at the end of the stream.
void take(Pipe& pipe, std::string& into) {
  std::array<char, 65536> buffer;
  const ssize_t got = ::read(pipe.ends[0], buffer.data(), buffer.size());
  if (got > 0) {
    into.append(buffer.data(), static_cast<std::size_t>(got));
  } else if (got == 0 || errno != EINTR) {
    pipe.close_end(0);
  }
}

void give(Pipe& pipe, std::string_view& input) {
  const ssize_t put = ::write(pipe.ends[1], input.data(), input.size());
  if (put > 0) input.remove_prefix(static_cast<std::size_t>(put));
  if (input.empty() || (put < 0 && errno != EINTR && errno != EAGAIN)) pipe.close_end(1);
}

Outcome control(const std::vector<std::string>& arguments, std::string_view input = {}) {
  std::vector<std::string> line = split(environment("TERN_KAFKA_CONTROL"), ' ');
  if (line.empty()) return {1, {}, "TERN_KAFKA_CONTROL does not name kafka.sh and the port"};
  line.insert(line.end(), arguments.begin(), arguments.end());
  return run(line, input);
}

bool control(const char* command, int node) {
  const Outcome outcome = control({command, std::to_string(node)});
  EXPECT_EQ(outcome.status, 0) << command << ' ' << node << ": " << outcome.err;
  return outcome.status == 0;
}

}  // namespace

std::vector<std::string> brokers() { return split(environment("TERN_KAFKA"), ','); }

std::string bootstrap() { return environment("TERN_KAFKA"); }

std::string unique_topic(std::string_view prefix) {
  static int count = 0;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::string(prefix) + '-' + std::to_string(now.count()) + '-' + std::to_string(++count);
}

Outcome run(const std::vector<std::string>& command, std::string_view input) {
  std::signal(SIGPIPE, SIG_IGN);  // a child that does not read is not our end
  Pipe in;
  Pipe out;
  Pipe err;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.ends[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.ends[1], STDERR_FILENO);
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& part : command) arguments.push_back(const_cast<char*>(part.c_str()));
  arguments.push_back(nullptr);

  Outcome outcome;
  pid_t child = 0;
  const int error =
      posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    outcome.err = command[0] + ": " + std::strerror(error);
    return outcome;
  }
  in.close_end(0);
  out.close_end(1);
  err.close_end(1);
  ::fcntl(in.ends[1], F_SETFL, O_NONBLOCK);
  if (input.empty()) in.close_end(1);
  while (out.ends[0] >= 0 || err.ends[0] >= 0) {
    // A negative descriptor is one that poll leaves alone.
    std::array<pollfd, 3> waits{pollfd{in.ends[1], POLLOUT, 0}, pollfd{out.ends[0], POLLIN, 0},
                                pollfd{err.ends[0], POLLIN, 0}};
    if (::poll(waits.data(), waits.size(), -1) < 0) continue;
    if (waits[0].revents != 0) give(in, input);
    if (waits[1].revents != 0) take(out, outcome.out);
    if (waits[2].revents != 0) take(err, outcome.err);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

bool kill_node(int node) { return control("kill", node); }
bool end_node(int node) { return control("term", node); }
bool boot_node(int node) { return control("boot", node); }
bool freeze_node(int node) { return control("freeze", node); }
bool thaw_node(int node) { return control("thaw", node); }

std::string kafka_version() {
  const Outcome outcome = control({"version"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  return split(outcome.out, '\n').at(0);
}

Outcome java_tool(const std::string& name, const std::vector<std::string>& arguments,
                  std::string_view input) {
  std::vector<std::string> line = {
      "tool", name, "--version", kafka_version(), "--", "--bootstrap-server", bootstrap()};
  line.insert(line.end(), arguments.begin(), arguments.end());
  return control(line, input);
}

Outcome kcat(std::vector<std::string> arguments, std::string_view input) {
  arguments.insert(arguments.begin(), {"kcat", "-b", bootstrap()});
  return run(arguments, input);
}

Outcome kcat_read(const std::string& topic, const std::string& format, int partition) {
  std::vector<std::string> arguments{"-C", "-q",  "-e", "-o",  "beginning",
                                     "-t", topic, "-f", format};
  if (partition >= 0) arguments.insert(arguments.end(), {"-p", std::to_string(partition)});
  return kcat(std::move(arguments));
}

std::vector<int> leaders(const std::string& topic) {
  const Outcome outcome = kcat({"-L", "-t", topic});
  std::vector<int> found;
  std::istringstream lines(outcome.out);
  std::string line;
  while (std::getline(lines, line)) {
    // "    partition 0, leader 2, replicas: 2,3,1, isrs: 2,3,1"
    int partition = 0;
    int leader = 0;
    if (std::sscanf(line.c_str(), " partition %d, leader %d,", &partition, &leader) != 2) continue;
    if (leader < 1) return {};
    if (found.size() <= static_cast<std::size_t>(partition)) {
      found.resize(static_cast<std::size_t>(partition) + 1);
    }
    found[static_cast<std::size_t>(partition)] = leader;
  }
  return found;
}

namespace {

bool answers(const std::string& broker) {
  const std::size_t colon = broker.rfind(':');
  const std::string device = "/dev/tcp/" + broker.substr(0, colon) + "/" + broker.substr(colon + 1);
  return run({"bash", "-c", "exec 3<>" + device}).status == 0;
}

}  // namespace

void RealKafka::SetUp() {
  // A node that an earlier suite has booted ended with that suite: Bazel leaves nothing behind. If
  // that is most of them, none comes up before others do.
  std::vector<std::future<bool>> boots;
  for (std::size_t i = 0; i < brokers().size(); ++i) {
    if (answers(brokers()[i])) continue;
    boots.push_back(std::async(std::launch::async, boot_node, static_cast<int>(i) + 1));
  }
  for (std::future<bool>& boot : boots) ASSERT_TRUE(boot.get());
  if (!brokers().empty()) return;
  std::cerr << "\n*** SKIPPED: no real Apache Kafka here (TERN_KAFKA is not set);"
               " `./dev test` starts one\n";
  GTEST_SKIP() << "TERN_KAFKA is not set";
}

}  // namespace tern::real

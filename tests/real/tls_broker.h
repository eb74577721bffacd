// A broker of a test's own, with TLS: some ports above the one that `./dev test` has started, on
// certificates that are made here. It runs from start() to the end of this object.
//
// Blocks; for the test's own thread. What fails is reported as a failure of the test.
#ifndef TERN_TESTS_REAL_TLS_BROKER_H_
#define TERN_TESTS_REAL_TLS_BROKER_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/real/environment.h"
#include "tests/tls/authority.h"

namespace tern::real {

class TlsBroker {
 public:
  // `beside`: where the other one is ("127.0.0.1:5672"; of several the first). `command`: what
  // controls it (rabbitmq.sh or kafka.sh).
  TlsBroker(const std::string& beside, std::string command, int ports_above)
      : folder_(std::filesystem::path(::testing::TempDir()) /
                ("tls." + std::to_string(::getpid()))),
        command_(std::move(command)) {
    std::filesystem::create_directories(folder_);
    const std::string first = beside.substr(0, beside.find(','));
    port = std::stoi(first.substr(first.rfind(':') + 1)) + ports_above;
  }
  ~TlsBroker() {
    control("stop");
    std::filesystem::remove_all(folder_);
  }
  TlsBroker(const TlsBroker&) = delete;
  TlsBroker& operator=(const TlsBroker&) = delete;

  void start(const std::vector<std::string>& settings, std::string arguments = {}) const {
    for (const std::string& each : settings) arguments += " --set " + each;
    control("start", arguments);
  }
  void control(const std::string& verb, const std::string& arguments = {}) const {
    const std::string command =
        command_ + " " + verb + " --port " + std::to_string(port) + arguments + " >/dev/null";
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
  }

  // PEM files, for the broker or for a client.
  std::string file(const std::string& name) const { return (folder_ / (name + ".pem")).string(); }
  void save(const std::string& name, const std::string& text) const {
    std::ofstream(file(name)) << text;
  }
  void save(const std::string& name, const tls::testing::Identity& identity) const {
    save(name, identity.certificate);
    save(name + ".key", identity.key);
  }

  tls::testing::Authority authority{"tern's test authority"};
  int port = 0;  // without TLS

 private:
  const std::filesystem::path folder_;
  const std::string command_;
};

}  // namespace tern::real

#endif  // TERN_TESTS_REAL_TLS_BROKER_H_

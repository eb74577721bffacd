// AMQP URIs: anything is read, or refused with a reason; a failure changes nothing and repeats no
// password; what was read can be written and read again; memory follows the input.

#include <string>
#include <tuple>

#include "client/amqp/uri.h"
#include "fuzz/memory.h"
#include "fuzz/target.h"

namespace tern::amqp {
namespace {

using fuzz::require;

auto values(const ConnectionConfig& c) {
  return std::tuple(c.hosts, c.tls, c.virtual_host, c.mechanism, c.credentials.user,
                    c.credentials.password, c.connection_name, c.channel_max, c.frame_max,
                    c.heartbeat, c.connect_timeout);
}

std::string escaped(std::string_view text) {
  constexpr char kDigits[] = "0123456789aBcDeF";
  std::string out;
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      out += c;
    } else {
      out.append("%").append(1, kDigits[octet >> 4]).append(1, kDigits[octet & 15U]);
    }
  }
  return out;
}

std::string written(const ConnectionConfig& c) {
  std::string out = c.tls ? "amqps://" : "amqp://";
  out += escaped(c.credentials.user) + ":" + escaped(c.credentials.password) + "@";
  for (const Endpoint& host : c.hosts) {
    if (out.back() != '@') out += ',';
    const bool v6 = host.host.find(':') != std::string::npos;
    out += v6 ? "[" + escaped(host.host) + "]" : escaped(host.host);
    if (host.port != 0) out += ":" + std::to_string(host.port);
  }
  using std::chrono::duration_cast;
  const auto seconds = duration_cast<std::chrono::seconds>(c.heartbeat).count();
  const auto ms = duration_cast<std::chrono::milliseconds>(c.connect_timeout).count();
  return out + "/" + escaped(c.virtual_host) + "?heartbeat=" + std::to_string(seconds) +
         "&connection_timeout=" + std::to_string(ms) +
         "&channel_max=" + std::to_string(c.channel_max) +
         "&frame_max=" + std::to_string(c.frame_max) + "&auth_mechanism=" + name(c.mechanism) +
         "&connection_name=" + escaped(c.connection_name);
}

void run(std::string_view text) {
  constexpr std::size_t kFixed = std::size_t{64} * 1024;
  constexpr std::size_t kPerByte = 64;
  ConnectionConfig config;
  Failure failure;
  {
    const fuzz::MemoryScope memory;
    failure = parse_uri(text, config);
    require(memory.peak() <= kFixed + kPerByte * text.size(), "memory follows the input");
  }
  if (failure) {
    require(failure.code == ClientErrc::invalid_config, "an error is of one kind");
    require(values(config) == values(ConnectionConfig()), "a failure changes nothing");
    fuzz::reached("refused");
  } else {
    (void)check(config);
    ConnectionConfig again;
    require(!parse_uri(written(config), again), "what was written is read");
    require(values(again) == values(config), "what was read comes back");
    if (config.hosts.size() > 1) fuzz::reached("several hosts");
    if (config.hosts.front().host.find(':') != std::string::npos) fuzz::reached("IPv6");
    if (config.virtual_host != "/") fuzz::reached("a virtual host");
    if (config.connection_name != "") fuzz::reached("parameters");
  }
  // A password in front of anything at all, unless that says it too (it may be quoted).
  if (text.find("Hunter2Hunter2") != std::string_view::npos) return;
  ConnectionConfig secret;
  const Failure told = parse_uri("amqp://u:Hunter2Hunter2" + std::string(text), secret);
  require(told.message().find("Hunter2Hunter2") == std::string::npos, "secrets are not repeated");
}

}  // namespace
}  // namespace tern::amqp

std::vector<std::string> tern::fuzz::milestones() {
  return {"refused", "several hosts", "IPv6", "a virtual host", "parameters"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tern::amqp::run({reinterpret_cast<const char*>(data), size});
  return 0;
}

#include "client/amqp/uri.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tern::amqp {
namespace {

constexpr std::size_t kMaxHosts = 64;

Failure invalid(const std::string& what) {
  return Failure(make_error_code(ClientErrc::invalid_config), "AMQP URI: " + what);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_control(char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; }

// False for an escape that is none. A plus stays a plus.
bool decode(std::string_view text, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return false;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return false;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return true;
}

// Digits and nothing else, up to `max`.
template <class T>
bool number(std::string_view text, T max, T& out) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > max) return false;
  out = value;
  return true;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

// The part up to the first of `ends`, which stays in front of `rest`.
std::string_view take_until(std::string_view& rest, std::string_view ends) {
  const std::size_t at = std::min(rest.find_first_of(ends), rest.size());
  const std::string_view taken = rest.substr(0, at);
  rest.remove_prefix(at);
  return taken;
}

Failure parse_user(std::string_view text, ConnectionConfig& config) {
  const std::size_t colon = text.find(':');
  if (!decode(text.substr(0, colon), config.credentials.user)) {
    return invalid("the user has a % that is not followed by two hexadecimal digits");
  }
  if (colon == std::string_view::npos) return {};
  if (!decode(text.substr(colon + 1), config.credentials.password)) {
    return invalid("the password has a % that is not followed by two hexadecimal digits");
  }
  return {};
}

// "host", "host:port", ":port", "[v6]", "[v6]:port" or nothing. What is wrong is not repeated: it
// may be the rest of a password that was not escaped.
Failure parse_host(std::string_view text, std::vector<Endpoint>& hosts) {
  const Failure wrong = invalid("host " + std::to_string(hosts.size() + 1) +
                                " is not host, host:port, [IPv6] or [IPv6]:port with a port from 1 "
                                "to 65535 (is there a / ? # or % in the password? Escape it)");
  std::string_view name;
  const bool v6 = text.starts_with('[');
  if (v6) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return wrong;
    name = text.substr(1, close - 1);
    text.remove_prefix(close + 1);
    if (!text.empty() && !text.starts_with(':')) return wrong;
  } else {
    name = take_until(text, ":");
  }
  Endpoint host;
  if (!decode(name, host.host)) return wrong;
  if (v6 && host.host.find(':') == std::string::npos) return wrong;
  for (const char c : host.host) {
    if (is_control(c)) return wrong;
  }
  if (host.host.empty()) host.host = "localhost";
  if (!text.empty()) {
    text.remove_prefix(1);
    constexpr std::uint16_t kMaxPort = std::numeric_limits<std::uint16_t>::max();
    if (!number(text, kMaxPort, host.port) || host.port == 0) return wrong;
  }
  hosts.push_back(std::move(host));
  return {};
}

Failure parse_authority(std::string_view text, ConnectionConfig& config) {
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    if (const Failure failure = parse_user(text.substr(0, at), config)) return failure;
    text.remove_prefix(at + 1);
  }
  if (text.empty()) return {};
  config.hosts.clear();
  for (bool more = true; more;) {
    if (config.hosts.size() == kMaxHosts) return invalid("more than 64 hosts");
    const std::string_view host = take_until(text, ",");
    if (const Failure failure = parse_host(host, config.hosts)) return failure;
    more = !text.empty();
    if (more) text.remove_prefix(1);
  }
  return {};
}

Failure parse_virtual_host(std::string_view text, ConnectionConfig& config) {
  if (text.find('/') != std::string_view::npos) {
    return invalid("the virtual host has a / in it: write it as %2F");
  }
  if (!decode(text, config.virtual_host)) {
    return invalid("the virtual host has a % that is not followed by two hexadecimal digits");
  }
  if (config.virtual_host.empty()) config.virtual_host = "/";
  return {};
}

Failure wrong_value(std::string_view parameter, const char* what) {
  return invalid("parameter " + std::string(parameter) + ": " + what);
}

// False if it is none of TLS.
bool set_tls_parameter(std::string_view parameter, const std::string& value,
                       ConnectionConfig& config, Failure& failure) {
  TlsOptions& options = config.tls_options;
  const struct {
    const char* name;
    std::string& option;
  } texts[] = {{"cacertfile", options.ca_file},
               {"certfile", options.certificate_file},
               {"keyfile", options.key_file},
               {"password", options.key_password}};
  for (const auto& text : texts) {
    if (parameter != text.name) continue;
    text.option = value;
    if (value.empty()) failure = wrong_value(parameter, "it is empty");
    return true;
  }
  if (parameter == "verify") {
    options.verify_peer = value == "verify_peer";
    if (!*options.verify_peer && value != "verify_none") {
      failure = wrong_value(parameter, "verify_peer or verify_none");
    }
  } else if (parameter == "fail_if_no_peer_cert") {
    if (value != "true") {
      failure = wrong_value(parameter, "only true: a broker without a certificate is refused");
    }
  } else if (parameter == "server_name_indication") {
    if (value.empty()) failure = wrong_value(parameter, "a host name or disable");
    const bool disabled = value == "disable";
    options.server_name = disabled ? "" : value;
    options.check_name = !disabled;
  } else {
    return false;
  }
  return true;
}

Failure set_parameter(std::string_view parameter, const std::string& value,
                      ConnectionConfig& config) {
  const auto wrong = [&](const char* what) { return wrong_value(parameter, what); };
  if (parameter == "heartbeat") {
    std::uint32_t seconds = 0;
    if (!number(value, std::uint32_t{65'535}, seconds)) return wrong("seconds, 0 to 65535");
    config.heartbeat = std::chrono::seconds(seconds);
  } else if (parameter == "connection_timeout") {
    std::uint32_t ms = 0;
    if (!number(value, std::uint32_t{0x7fffffff}, ms) || ms == 0) {
      return wrong("milliseconds, 1 to 2147483647");
    }
    config.connect_timeout = std::chrono::milliseconds(ms);
  } else if (parameter == "channel_max") {
    if (!number(value, std::uint16_t{65'535}, config.channel_max) || config.channel_max == 0) {
      return wrong("1 to 65535");
    }
  } else if (parameter == "frame_max") {
    if (!number(value, std::uint32_t{0x7fffffff}, config.frame_max) || config.frame_max < 4096) {
      return wrong("bytes, 4096 to 2147483647");
    }
  } else if (parameter == "auth_mechanism") {
    for (const Mechanism each : {Mechanism::plain, Mechanism::amqplain, Mechanism::external}) {
      if (!equal_ignoring_case(value, name(each))) continue;
      config.mechanism = each;
      return {};
    }
    return wrong("plain, amqplain or external");
  } else if (parameter == "connection_name") {
    config.connection_name = value;
  } else if (Failure failure; set_tls_parameter(parameter, value, config, failure)) {
    if (!failure && !config.tls) return wrong("only for amqps://");
    return failure;
  } else {
    return invalid("there is no parameter \"" + std::string(parameter.substr(0, 64)) +
                   "\"; there are heartbeat, connection_timeout, channel_max, frame_max, "
                   "auth_mechanism, connection_name, and for amqps:// cacertfile, certfile, "
                   "keyfile, password, verify, server_name_indication, fail_if_no_peer_cert");
  }
  return {};
}

Failure parse_query(std::string_view text, ConnectionConfig& config) {
  while (!text.empty()) {
    std::string_view pair = take_until(text, "&");
    if (!text.empty()) text.remove_prefix(1);
    if (pair.empty()) continue;
    const std::string_view parameter = take_until(pair, "=");
    if (pair.empty()) return invalid("a parameter has no value");
    std::string value;
    if (!decode(pair.substr(1), value)) {
      return invalid("a parameter has a % that is not followed by two hexadecimal digits");
    }
    if (const Failure failure = set_parameter(parameter, value, config)) return failure;
  }
  return {};
}

}  // namespace

Failure parse_uri(std::string_view uri, ConnectionConfig& config) {
  ConnectionConfig parsed = config;
  const std::size_t scheme = uri.find("://");
  if (scheme == std::string_view::npos)
    return invalid("it begins with neither amqp:// nor amqps://");
  if (equal_ignoring_case(uri.substr(0, scheme), "amqp")) {
    parsed.tls = false;
  } else if (equal_ignoring_case(uri.substr(0, scheme), "amqps")) {
    parsed.tls = true;
  } else {
    return invalid("it begins with neither amqp:// nor amqps://");
  }
  std::string_view rest = uri.substr(scheme + 3);
  if (rest.find('#') != std::string_view::npos) return invalid("a # has to be written as %23");
  const std::string_view authority = take_until(rest, "/?");
  // What follows may be the rest of a password, and some of it would be repeated in an error.
  if (rest.find('@') != std::string_view::npos) {
    return invalid(
        "an @ behind the hosts: a / or ? in the password has to be written as %2F or %3F,"
        " an @ in the virtual host or a parameter as %40");
  }
  if (const Failure failure = parse_authority(authority, parsed)) return failure;
  if (rest.starts_with('/')) {
    rest.remove_prefix(1);
    if (const Failure failure = parse_virtual_host(take_until(rest, "?"), parsed)) return failure;
  }
  if (!rest.empty()) {
    if (const Failure failure = parse_query(rest.substr(1), parsed)) return failure;
  }
  config = std::move(parsed);
  return {};
}

}  // namespace tern::amqp

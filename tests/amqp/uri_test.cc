// URIs and what they make of a config.
#include "client/amqp/uri.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tern::amqp {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

ConnectionConfig parsed(std::string_view uri) {
  ConnectionConfig config;
  const Failure failure = parse_uri(uri, config);
  EXPECT_FALSE(failure) << uri << ": " << failure.message();
  return config;
}

std::string refused(std::string_view uri) {
  ConnectionConfig config;
  config.connection_name = "as it was";
  const Failure failure = parse_uri(uri, config);
  EXPECT_EQ(failure.code, ClientErrc::invalid_config) << uri;
  EXPECT_EQ(config.connection_name, "as it was");
  EXPECT_EQ(config.hosts.front().host, "localhost");
  EXPECT_EQ(config.credentials.user, "guest");
  return failure ? failure.message() : "";
}

using Hosts = std::vector<Endpoint>;

TEST(Uri, WhatIsMissingStaysAsItIs) {
  ConnectionConfig config;
  config.hosts = {{"elsewhere", 77}};
  config.virtual_host = "there";
  config.credentials = {"me", "secret"};
  EXPECT_FALSE(parse_uri("amqp://", config));
  EXPECT_EQ(config.hosts, (Hosts{{"elsewhere", 77}}));
  EXPECT_EQ(config.virtual_host, "there");
  EXPECT_EQ(config.credentials.user, "me");
  EXPECT_EQ(config.credentials.password, "secret");
  EXPECT_FALSE(config.tls);
}

// Those of RabbitMQ's description of URIs.
TEST(Uri, RabbitmqsExamples) {
  ConnectionConfig config = parsed("amqp://user:pass@host:10000/vhost");
  EXPECT_EQ(config.credentials.user, "user");
  EXPECT_EQ(config.credentials.password, "pass");
  EXPECT_EQ(config.hosts, (Hosts{{"host", 10000}}));
  EXPECT_EQ(config.virtual_host, "vhost");

  config = parsed("amqp://user%61:%61pass@ho%61st:10000/v%2fhost");
  EXPECT_EQ(config.credentials.user, "usera");
  EXPECT_EQ(config.credentials.password, "apass");
  EXPECT_EQ(config.hosts, (Hosts{{"hoast", 10000}}));
  EXPECT_EQ(config.virtual_host, "v/host");

  config = parsed("amqp://:@/");
  EXPECT_EQ(config.credentials.user, "");
  EXPECT_EQ(config.credentials.password, "");
  EXPECT_EQ(config.hosts, (Hosts{{"localhost", 0}}));
  EXPECT_EQ(config.virtual_host, "/");

  EXPECT_EQ(parsed("amqp://user@").credentials.user, "user");
  EXPECT_EQ(parsed("amqp://user@").credentials.password, "guest");
  EXPECT_EQ(parsed("amqp://user:pass@").credentials.password, "pass");
  EXPECT_EQ(parsed("amqp://host").hosts, (Hosts{{"host", 0}}));
  EXPECT_EQ(parsed("amqp://:10000").hosts, (Hosts{{"localhost", 10000}}));
  EXPECT_EQ(parsed("amqp:///vhost").virtual_host, "vhost");
  EXPECT_EQ(parsed("amqp:///vhost").hosts, (Hosts{{"localhost", 0}}));
  EXPECT_EQ(parsed("amqp://host/").virtual_host, "/");
  EXPECT_EQ(parsed("amqp://host/%2F").virtual_host, "/");
  EXPECT_EQ(parsed("amqp://[::1]").hosts, (Hosts{{"::1", 0}}));
}

TEST(Uri, IPv6WithAPort) {
  EXPECT_EQ(parsed("amqp://u:p@[fe80::1]:5673/v").hosts, (Hosts{{"fe80::1", 5673}}));
  EXPECT_EQ(parsed("amqp://[::1]:1,[::2]").hosts, (Hosts{{"::1", 1}, {"::2", 0}}));
}

TEST(Uri, SeveralHosts) {
  const ConnectionConfig config = parsed("amqp://u:p@one:1,two,three:3/v?heartbeat=5");
  EXPECT_EQ(config.hosts, (Hosts{{"one", 1}, {"two", 0}, {"three", 3}}));
  EXPECT_EQ(config.virtual_host, "v");
  EXPECT_EQ(with_port(config.hosts[1], config), (Endpoint{"two", 5672}));
  EXPECT_EQ(with_port(config.hosts[2], config), (Endpoint{"three", 3}));
}

TEST(Uri, PasswordsWithStrangeCharacters) {
  EXPECT_EQ(parsed("amqp://u:p%40s%3As%2Fw%3F%23%25@h").credentials.password, "p@s:s/w?#%");
  EXPECT_EQ(parsed("amqp://u:p@ss@h").credentials.password, "p@ss");
  EXPECT_EQ(parsed("amqp://u:a:b@h").credentials.password, "a:b");
  EXPECT_EQ(parsed("amqp://u:a+b@h").credentials.password, "a+b");
}

TEST(Uri, TlsHasItsOwnPort) {
  const ConnectionConfig config = parsed("AMQPS://host");
  EXPECT_TRUE(config.tls);
  EXPECT_EQ(with_port(config.hosts[0], config).port, 5671);
  // Nothing here speaks it.
  EXPECT_EQ(check(config).code, ClientErrc::invalid_config);
}

TEST(Uri, Parameters) {
  const ConnectionConfig config = parsed(
      "amqp://h/v?heartbeat=7&connection_timeout=1500&channel_max=9&frame_max=8192&"
      "auth_mechanism=External&connection_name=my%20app&");
  EXPECT_EQ(config.heartbeat, seconds(7));
  EXPECT_EQ(config.connect_timeout, milliseconds(1500));
  EXPECT_EQ(config.channel_max, 9);
  EXPECT_EQ(config.frame_max, 8192U);
  EXPECT_EQ(config.mechanism, Mechanism::external);
  EXPECT_EQ(config.connection_name, "my app");
  EXPECT_EQ(parsed("amqp://h?heartbeat=0").heartbeat, seconds(0));
}

TEST(Uri, RefusedWithTheirPart) {
  const std::pair<const char*, const char*> wrong[] = {
      {"", "amqp://"},
      {"host:5672", "amqp://"},
      {"http://host", "amqp://"},
      {"amqp:/host", "amqp://"},
      {"amqp://host:0", "host 1"},
      {"amqp://host:65536", "host 1"},
      {"amqp://host:-1", "host 1"},
      {"amqp://host:", "host 1"},
      {"amqp://host:12x", "host 1"},
      {"amqp://a,b:x", "host 2"},
      {"amqp://::1", "host 1"},
      {"amqp://[::1", "host 1"},
      {"amqp://[::1]5", "host 1"},
      {"amqp://[host]", "host 1"},
      {"amqp://ho st", "host 1"},
      {"amqp://ho%00st", "host 1"},
      {"amqp://%zz@h", "user"},
      {"amqp://u:%4@h", "password"},
      {"amqp://u:%@h", "password"},
      {"amqp://h/a/b", "%2F"},
      {"amqp://h/%x", "virtual host"},
      {"amqp://h/v#f", "%23"},
      {"amqp://h?heartbeat", "no value"},
      {"amqp://h?heartbeat=", "heartbeat"},
      {"amqp://h?heartbeat=-1", "heartbeat"},
      {"amqp://h?heartbeat=65536", "heartbeat"},
      {"amqp://h?connection_timeout=0", "connection_timeout"},
      {"amqp://h?channel_max=0", "channel_max"},
      {"amqp://h?channel_max=65536", "channel_max"},
      {"amqp://h?frame_max=4095", "frame_max"},
      {"amqp://h?auth_mechanism=scram", "amqplain"},
      {"amqp://h?hartbeat=1", "hartbeat"},
      {"amqp://h?connection_name=%", "hexadecimal"},
  };
  for (const auto& [uri, part] : wrong) {
    const std::string message = refused(uri);
    EXPECT_NE(message.find(part), std::string::npos) << uri << ": " << message;
  }
  std::string many = "amqp://h";
  for (int i = 0; i < 64; ++i) many += ",h";
  EXPECT_NE(refused(many).find("64"), std::string::npos);
}

TEST(Uri, ErrorsDoNotRepeatSecrets) {
  for (const char* uri :
       {"amqp://u:hunter2%@h", "amqp://u:hunter2/@h", "amqp://u:hunter2?x@h", "amqp://u:hunter2",
        "amqp://u:x/hunter2", "amqp://u:x?hunter2=3@h", "amqp://u:hunter2#@h",
        "amqp://u:p@h?hunter2=x@host", "hunter2", "amqp://u:x@[hunter2"}) {
    EXPECT_EQ(refused(uri).find("hunter"), std::string::npos) << uri;
  }
}

TEST(Config, TheDefaultOneIsGood) { EXPECT_FALSE(check(ConnectionConfig())); }

TEST(Config, EachFieldIsChecked) {
  const auto complaint = [](auto&& change) {
    ConnectionConfig config;
    change(config);
    const Failure failure = check(config);
    EXPECT_EQ(failure.code, ClientErrc::invalid_config);
    return failure ? failure.message() : "";
  };
  using Config = ConnectionConfig;
  const std::pair<const char*, std::string> complaints[] = {
      {"hosts", complaint([](Config& c) { c.hosts.clear(); })},
      {"hosts", complaint([](Config& c) { c.hosts = {{"", 1}}; })},
      {"tls", complaint([](Config& c) { c.tls = true; })},
      {"virtual_host", complaint([](Config& c) { c.virtual_host = std::string(256, 'x'); })},
      {"user", complaint([](Config& c) { c.credentials.user = std::string("a\0b", 3); })},
      {"password", complaint([](Config& c) { c.credentials.password = std::string("a\0b", 3); })},
      {"password", complaint([](Config& c) { c.credentials.password = std::string(2049, 'x'); })},
      {"connection_name", complaint([](Config& c) { c.connection_name = std::string(256, 'x'); })},
      {"channel_max", complaint([](Config& c) { c.channel_max = 0; })},
      {"frame_max", complaint([](Config& c) { c.frame_max = 4095; })},
      {"heartbeat", complaint([](Config& c) { c.heartbeat = milliseconds(1500); })},
      {"heartbeat", complaint([](Config& c) { c.heartbeat = seconds(65'536); })},
      {"connect_timeout", complaint([](Config& c) { c.connect_timeout = seconds(0); })},
      {"operation_timeout", complaint([](Config& c) { c.operation_timeout = seconds(-1); })},
      {"close_timeout", complaint([](Config& c) { c.close_timeout = seconds(0); })},
      {"max_method_bytes", complaint([](Config& c) { c.max_method_bytes = 4095; })},
      {"max_unsent_bytes", complaint([](Config& c) { c.max_unsent_bytes = 65'535; })},
  };
  for (const auto& [field, text] : complaints) {
    EXPECT_NE(text.find(field), std::string::npos) << field << ": " << text;
  }
}

}  // namespace
}  // namespace tern::amqp

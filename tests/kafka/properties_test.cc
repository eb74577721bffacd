// Kafka's names for settings: what each one sets, what is refused in which words, and the syntax of
// .properties files.
#include "client/kafka/properties.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace tern::kafka {
namespace {

using std::chrono::milliseconds;

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs read(std::string_view text) {
  std::vector<Property> properties;
  const Failure failure = read_properties(text, properties);
  EXPECT_FALSE(failure) << failure.message();
  Pairs pairs;
  for (const Property& each : properties) pairs.emplace_back(each.name, each.value);
  return pairs;
}

Configs parsed(std::string_view text) {
  Configs configs;
  const Failure failure = parse_properties(text, configs);
  EXPECT_FALSE(failure) << failure.message();
  return configs;
}

std::string refused(std::string_view text, ClientErrc code = ClientErrc::invalid_config) {
  Configs configs;
  configs.client.client_id = "untouched";
  const Failure failure = parse_properties("client.id=touched\n" + std::string(text), configs);
  EXPECT_EQ(failure.code, code) << text;
  EXPECT_EQ(configs.client.client_id, "untouched");
  return failure.message();
}

TEST(PropertiesText, SeparatorsAreThoseOfJava) {
  const Pairs want = {{"a", "1"}};
  for (const char* text : {"a=1", "a:1", "a 1", "a = 1", "a\t:\f1", "  a=1", "a   1\n", "a=1\r\n",
                           "\n\n  \n a=1\n\n", "a=1\r", "\\a=1"}) {
    EXPECT_EQ(read(text), want) << text;
  }
  EXPECT_EQ(read("a"), (Pairs{{"a", ""}}));
  EXPECT_EQ(read("a="), (Pairs{{"a", ""}}));
  EXPECT_EQ(read("=b"), (Pairs{{"", "b"}}));
  EXPECT_EQ(read("a==b"), (Pairs{{"a", "=b"}}));
  EXPECT_EQ(read("a = : b"), (Pairs{{"a", ": b"}}));
  EXPECT_EQ(read("a b c "), (Pairs{{"a", "b c "}})) << "blanks at the end are kept";
  EXPECT_EQ(read("a\\ b\\=c\\:d=e"), (Pairs{{"a b=c:d", "e"}}));
  EXPECT_EQ(read("a=1\rb=2\nc=3\r\nd=4"), (Pairs{{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}}));
  EXPECT_EQ(read(""), Pairs());
}

TEST(PropertiesText, CommentsAreLeftOut) {
  EXPECT_EQ(read("# a=1\n  ! b=2 \\\nc=3#4\n#"), (Pairs{{"c", "3#4"}}));
}

TEST(PropertiesText, LinesAreContinued) {
  EXPECT_EQ(read("a = 1,\\\n    2,\\\r\n  3\nb=4"), (Pairs{{"a", "1,2,3"}, {"b", "4"}}));
  EXPECT_EQ(read("a=1\\\\\nb=2"), (Pairs{{"a", "1\\"}, {"b", "2"}})) << "an escaped backslash";
  EXPECT_EQ(read("a=1\\"), (Pairs{{"a", "1"}}));
  EXPECT_EQ(read("a=1\\\n\nb=2"), (Pairs{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(read("a=1\\\n#b"), (Pairs{{"a", "1#b"}})) << "no comment inside a value";
  EXPECT_EQ(read("\\\na=1"), (Pairs{{"a", "1"}}));
  EXPECT_EQ(read("\\"), Pairs());
}

TEST(PropertiesText, EscapesAreRead) {
  EXPECT_EQ(read("a=\\t\\n\\r\\f\\q\\\"\\\\"), (Pairs{{"a", "\t\n\r\fq\"\\"}}));
  EXPECT_EQ(read("\\u0061=\\u00e9\\u20AC\\ud83d\\ude00"),
            (Pairs{{"a", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"}}));
  EXPECT_EQ(read("a=\xc3\xa9"), (Pairs{{"a", "\xc3\xa9"}})) << "UTF-8 as it is";
  for (const char* text : {"a=\\u12", "a=\\u12g4", "a=\\ud83d", "a=\\ud83dx", "a=\\ude00",
                           "a=\\ud83d\\u0041", "\\u=1"}) {
    std::vector<Property> untouched(1);
    const Failure failure = read_properties("x=1\n" + std::string(text), untouched);
    EXPECT_EQ(failure.code, ClientErrc::invalid_config) << text;
    EXPECT_NE(failure.message().find("line 2:"), std::string::npos) << failure.message();
    EXPECT_EQ(untouched.size(), 1u);
  }
}

TEST(PropertiesText, LinesAreCounted) {
  std::vector<Property> properties;
  ASSERT_FALSE(read_properties("# one\n\na=1\\\n2\r\nb=2\rc=3", properties));
  ASSERT_EQ(properties.size(), 3u);
  EXPECT_EQ(properties[0].line, 3);
  EXPECT_EQ(properties[1].line, 5);
  EXPECT_EQ(properties[2].line, 6);
}

// Every name, with a value other than the default, and what it is to change.
struct Case {
  const char* text;
  std::function<bool(const Configs&)> holds;
};

TEST(Properties, SetClientFields) {
  const std::vector<std::string> servers = {"a:1", "b", "[::1]:9"};
  const Case cases[] = {
      {"bootstrap.servers=a:1, b ,[::1]:9,",
       [&](auto& c) { return c.client.bootstrap == servers; }},
      {"metadata.broker.list=a:1,b,[::1]:9",
       [&](auto& c) { return c.client.bootstrap == servers; }},
      {"client.id=me", [](auto& c) { return c.client.client_id == "me"; }},
      {"socket.connection.setup.timeout.ms=7",
       [](auto& c) { return c.client.connect_timeout == milliseconds(7); }},
      {"request.timeout.ms=7", [](auto& c) { return c.client.request_timeout == milliseconds(7); }},
      {"socket.timeout.ms=7", [](auto& c) { return c.client.request_timeout == milliseconds(7); }},
      {"default.api.timeout.ms=7",
       [](auto& c) { return c.client.operation_timeout == milliseconds(7); }},
      {"reconnect.backoff.ms=7",
       [](auto& c) { return c.client.reconnect_backoff == milliseconds(7); }},
      {"reconnect.backoff.max.ms=777",
       [](auto& c) { return c.client.reconnect_backoff_max == milliseconds(777); }},
      {"retry.backoff.ms=7", [](auto& c) { return c.client.retry_backoff == milliseconds(7); }},
      {"retry.backoff.max.ms=777",
       [](auto& c) { return c.client.retry_backoff_max == milliseconds(777); }},
      {"metadata.max.age.ms=7",
       [](auto& c) { return c.client.metadata_max_age == milliseconds(7); }},
      {"topic.metadata.refresh.interval.ms=7",
       [](auto& c) { return c.client.metadata_max_age == milliseconds(7); }},
      {"connections.max.idle.ms=7",
       [](auto& c) { return c.client.connections_max_idle == milliseconds(7); }},
      {"receive.message.max.bytes=7777",
       [](auto& c) { return c.client.max_response_bytes == 7777; }},
      {"allow.auto.create.topics=False",
       [](auto& c) { return !c.client.allow_auto_create_topics; }},
  };
  for (const Case& each : cases) {
    EXPECT_FALSE(each.holds(Configs())) << each.text << " is what it is anyway";
    EXPECT_TRUE(each.holds(parsed(each.text))) << each.text;
  }
}

TEST(Properties, SetProducerFields) {
  const Case cases[] = {
      {"acks=1", [](auto& c) { return c.producer.acks == Acks::leader; }},
      {"request.required.acks=0", [](auto& c) { return c.producer.acks == Acks::none; }},
      {"enable.idempotence=false", [](auto& c) { return !c.producer.idempotence; }},
      {"max.in.flight.requests.per.connection=3",
       [](auto& c) { return c.producer.max_in_flight == 3; }},
      {"max.in.flight=3", [](auto& c) { return c.producer.max_in_flight == 3; }},
      {"linger.ms=7", [](auto& c) { return c.producer.linger == milliseconds(7); }},
      {"queue.buffering.max.ms=7", [](auto& c) { return c.producer.linger == milliseconds(7); }},
      {"batch.size=777", [](auto& c) { return c.producer.batch_bytes == 777; }},
      {"batch.size=0", [](auto& c) { return c.producer.batch_bytes == 1; }},
      {"max.request.size=7777777", [](auto& c) { return c.producer.max_request_bytes == 7777777; }},
      {"message.max.bytes=7777777",
       [](auto& c) { return c.producer.max_request_bytes == 7777777; }},
      {"buffer.memory=7777777777", [](auto& c) { return c.producer.buffer_bytes == 7777777777; }},
      {"queue.buffering.max.kbytes=7777",
       [](auto& c) { return c.producer.buffer_bytes == 7777 * 1024; }},
      {"delivery.timeout.ms=7",
       [](auto& c) { return c.producer.delivery_timeout == milliseconds(7); }},
      {"message.timeout.ms=7",
       [](auto& c) { return c.producer.delivery_timeout == milliseconds(7); }},
      {"topic.message.timeout.ms=7",
       [](auto& c) { return c.producer.delivery_timeout == milliseconds(7); }},
      {"max.block.ms=7", [](auto& c) { return c.producer.metadata_timeout == milliseconds(7); }},
      {"compression.type=gzip",
       [](auto& c) { return c.producer.compression == Compression::gzip; }},
      {"compression.codec=GZIP",
       [](auto& c) { return c.producer.compression == Compression::gzip; }},
      {"partitioner.class=org.apache.kafka.clients.producer.RoundRobinPartitioner",
       [](auto& c) { return c.producer.partitioning == Partitioning::round_robin; }},
      {"partitioner=random",
       [](auto& c) { return c.producer.partitioning == Partitioning::random; }},
  };
  for (const Case& each : cases) {
    EXPECT_FALSE(each.holds(Configs())) << each.text << " is what it is anyway";
    EXPECT_TRUE(each.holds(parsed(each.text))) << each.text;
  }
}

TEST(Properties, SetConsumerFields) {
  const Case cases[] = {
      {"auto.offset.reset=earliest",
       [](auto& c) { return c.consumer.offset_reset == OffsetReset::earliest; }},
      {"auto.offset.reset=smallest",
       [](auto& c) { return c.consumer.offset_reset == OffsetReset::earliest; }},
      {"auto.offset.reset=by_duration:P1DT2H3M4S",
       [](auto& c) {
         return c.consumer.offset_reset == OffsetReset::age &&
                c.consumer.offset_reset_age == std::chrono::seconds(93'784);
       }},
      {"auto.offset.reset=by_duration:pt36h",
       [](auto& c) { return c.consumer.offset_reset_age == std::chrono::hours(36); }},
      {"auto.offset.reset=error",
       [](auto& c) { return c.consumer.offset_reset == OffsetReset::none; }},
      {"isolation.level=read_committed",
       [](auto& c) { return c.consumer.isolation == Isolation::read_committed; }},
      {"fetch.min.bytes=7", [](auto& c) { return c.consumer.fetch_min_bytes == 7; }},
      {"fetch.max.bytes=7", [](auto& c) { return c.consumer.fetch_max_bytes == 7; }},
      {"max.partition.fetch.bytes=7", [](auto& c) { return c.consumer.partition_max_bytes == 7; }},
      {"fetch.message.max.bytes=7", [](auto& c) { return c.consumer.partition_max_bytes == 7; }},
      {"fetch.max.wait.ms=7", [](auto& c) { return c.consumer.fetch_max_wait == milliseconds(7); }},
      {"fetch.wait.max.ms=7", [](auto& c) { return c.consumer.fetch_max_wait == milliseconds(7); }},
      {"max.poll.records=7", [](auto& c) { return c.consumer.max_poll_records == 7; }},
      {"queued.max.messages.kbytes=7", [](auto& c) { return c.consumer.prefetch_bytes == 7168; }},
      {"check.crcs=false", [](auto& c) { return !c.consumer.check_crcs; }},
      {"client.rack=here", [](auto& c) { return c.consumer.rack == "here"; }},
      {"group.id=g", [](auto& c) { return c.consumer.group == "g"; }},
      {"group.instance.id=i", [](auto& c) { return c.consumer.instance_id == "i"; }},
      {"group.protocol=consumer",
       [](auto& c) { return c.consumer.group_protocol == GroupProtocol::consumer; }},
      {"group.protocol=auto",
       [](auto& c) { return c.consumer.group_protocol == GroupProtocol::automatic; }},
      {"group.remote.assignor=uniform",
       [](auto& c) { return c.consumer.server_assignor == "uniform"; }},
      {"session.timeout.ms=7",
       [](auto& c) { return c.consumer.session_timeout == milliseconds(7); }},
      {"heartbeat.interval.ms=7",
       [](auto& c) { return c.consumer.heartbeat_interval == milliseconds(7); }},
      {"max.poll.interval.ms=7",
       [](auto& c) { return c.consumer.max_poll_interval == milliseconds(7); }},
      {"partition.assignment.strategy=sticky, "
       "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
       [](auto& c) {
         return c.consumer.assignors == std::vector<std::string>{"sticky", "cooperative-sticky"};
       }},
      {"enable.auto.commit=false", [](auto& c) { return !c.consumer.auto_commit; }},
      {"auto.commit.enable=false", [](auto& c) { return !c.consumer.auto_commit; }},
      {"auto.commit.interval.ms=7",
       [](auto& c) { return c.consumer.auto_commit_interval == milliseconds(7); }},
      {"enable.auto.offset.store=false", [](auto& c) { return !c.consumer.auto_store; }},
  };
  for (const Case& each : cases) {
    EXPECT_FALSE(each.holds(Configs())) << each.text << " is what it is anyway";
    EXPECT_TRUE(each.holds(parsed(each.text))) << each.text;
  }
}

TEST(Properties, LevelOfGzipIsSetWithoutTouchingOtherCodecs) {
  const Configs configs = parsed("compression.gzip.level=9\ncompression.type=gzip");
  ASSERT_EQ(configs.client.codecs.size(), 1u);
  EXPECT_EQ(configs.client.codecs[0]->id(), Compression::gzip);
  EXPECT_NE(configs.client.codecs[0], Configs().client.codecs[0]);
  EXPECT_NE(refused("compression.gzip.level=10").find("from 1 to 9"), std::string::npos);
}

TEST(Properties, TheLastOneCounts) {
  EXPECT_EQ(parsed("linger.ms=1\nqueue.buffering.max.ms=2").producer.linger, milliseconds(2));
  EXPECT_EQ(parsed("linger.ms=1\nlinger.ms = 3 ").producer.linger, milliseconds(3));
}

// Files that are good for the Java client are good here.
TEST(Properties, FollowEachOtherAsInJava) {
  const std::string servers = "bootstrap.servers=a\n";
  for (const char* text :
       {"acks=1", "acks=0", "max.in.flight.requests.per.connection=10", "buffer.memory=200000",
        "max.request.size=1000", "message.max.bytes=9", "reconnect.backoff.ms=5000",
        "retry.backoff.ms=5000", "buffer.memory=131072\nmax.request.size=500000"}) {
    const Configs configs = parsed(servers + text);
    EXPECT_FALSE(check(configs.client)) << text << ": " << check(configs.client).message();
    const Failure failure = check(configs.producer, configs.client);
    EXPECT_FALSE(failure) << text << ": " << failure.message();
  }
  const Configs asked = parsed(servers + "enable.idempotence=true\nacks=1");
  EXPECT_TRUE(asked.producer.idempotence) << "and check() says that this cannot be";
  EXPECT_TRUE(check(asked.producer, asked.client));
  EXPECT_TRUE(parsed("acks=all").producer.idempotence);
}

TEST(Properties, UnknownNamesGetTheNearest) {
  const std::pair<const char*, const char*> cases[] = {
      {"linger.mss=1", "\"linger.ms\""},
      {"bootstrap.server=a", "\"bootstrap.servers\""},
      {"BOOTSTRAP.SERVERS=a", "\"bootstrap.servers\""},
      {"fetch.max.wiat.ms=1", "\"fetch.max.wait.ms\""},
      {"ack=all", "\"acks\""},
      {"=1", "\"acks\""},
  };
  for (const auto& [text, nearest] : cases) {
    const std::string message = refused(text);
    EXPECT_NE(message.find(nearest), std::string::npos) << message;
    EXPECT_NE(message.find("line 2: there is no setting"), std::string::npos) << message;
  }
  EXPECT_LT(refused(std::string(100'000, 'x') + "=1").size(), 300u);
  EXPECT_EQ(refused("a\\n\\u001b[2J=1").find_first_of("\n\x1b"), std::string::npos);
}

TEST(Properties, BadValuesAreToldWhatIsAllowed) {
  const std::pair<const char*, const char*> cases[] = {
      {"linger.ms=-1", "milliseconds from 0 to 2147483647"},
      {"linger.ms=5ms", "milliseconds"},
      {"linger.ms=", "milliseconds"},
      {"linger.ms=99999999999999999999", "milliseconds"},
      {"acks=2", "all (or -1), 1 or 0"},
      {"enable.idempotence=yes", "true or false"},
      {"compression.type=brotli", "none, gzip, snappy, lz4 or zstd"},
      {"bootstrap.servers=http://a:1", "host:port"},
      {"bootstrap.servers=,", "host:port"},
      {"auto.offset.reset=sometimes", "earliest, latest, none"},
      {"auto.offset.reset=by_duration:", "by_duration: and a duration"},
      {"auto.offset.reset=by_duration:P", "by_duration: and a duration"},
      {"auto.offset.reset=by_duration:PT", "by_duration: and a duration"},
      {"auto.offset.reset=by_duration:PT0S", "by_duration: and a duration"},
      {"auto.offset.reset=by_duration:P1H", "by_duration: and a duration"},
      {"auto.offset.reset=by_duration:PT1S1H", "by_duration: and a duration"},
      {"auto.offset.reset=by_duration:PT99999999999H", "by_duration: and a duration"},
      {"isolation.level=serializable", "read_committed"},
      {"partitioner.class=com.example.Mine", "ProducerConfig::partitioner"},
      {"max.in.flight=0", "from 1 to 1000"},
      {"buffer.memory=10", "from 131072"},
  };
  for (const auto& [text, wants] : cases) {
    const std::string message = refused(text);
    EXPECT_NE(message.find(wants), std::string::npos) << message;
    const std::string_view name =
        std::string_view(text).substr(0, std::string_view(text).find('='));
    EXPECT_NE(message.find("line 2: " + std::string(name)), std::string::npos) << message;
  }
  const std::string zstd = refused("compression.type=zstd", ClientErrc::codec_missing);
  EXPECT_NE(zstd.find("none, gzip"), std::string::npos) << zstd;
}

TEST(Properties, WhatKafkaKnowsAndTernCannotDoIsSaid) {
  const std::pair<const char*, const char*> cases[] = {
      {"security.protocol=SASL_SSL", "plaintext or ssl; SASL is not supported"},
      {"security.protocol=SSL", "Configs::make_tls: set that to tls::openssl"},
      {"sasl.jaas.config=secret", "SASL is not supported"},
      {"ssl.keystore.password=secret", "tern reads PEM: ssl.ca.location"},
      {"ssl.truststore.location=/ca.jks", "tern reads PEM: ssl.ca.location"},
      {"ssl.enabled.protocols=TLSv1.3", "leave it out"},
      {"partition.assignment.strategy=mine", "own_assignors"},
      {"partition.assignment.strategy=range,range", "each once"},
      {"transactional.id=t", "transactions are not supported"},
      {"key.serializer=com.example.Mine", "leave it out"},
      {"retries=3", "delivery.timeout.ms"},
      {"debug=all", "leave it out"},
  };
  for (const auto& [text, why] : cases) {
    const std::string message = refused(text);
    EXPECT_NE(message.find(why), std::string::npos) << message;
    EXPECT_EQ(message.find("secret"), std::string::npos) << message;
  }
  parsed("security.protocol=PLAINTEXT\nenable.auto.commit=false\nretries=2147483647");
}

class NoStream final : public StreamFactory {
 public:
  explicit NoStream(TlsOptions given) : options(std::move(given)) {}
  Failure check(const TlsOptions&) const override { return {}; }
  std::unique_ptr<StreamNetwork> over(Network&, Timers&, const TlsOptions&) const override {
    return nullptr;
  }
  const TlsOptions options;
};

TEST(Properties, TlsIsMadeOfWhatTheProgramHas) {
  Configs configs;
  configs.make_tls = [](TlsOptions options) -> std::shared_ptr<const StreamFactory> {
    return std::make_shared<NoStream>(std::move(options));
  };
  const auto options = [&] { return static_cast<const NoStream&>(*configs.client.stream).options; };
  ASSERT_FALSE(parse_properties("ssl.ca.location=/ca\nssl.key.password=secret", configs));
  EXPECT_EQ(configs.client.stream, nullptr) << "nobody has asked for it";
  ASSERT_FALSE(parse_properties("security.protocol=SSL", configs));
  EXPECT_EQ(options(), (TlsOptions{.ca_file = "/ca", .key_password = "secret"}));
  ASSERT_FALSE(
      parse_properties("ssl.certificate.location=/c\nssl.key.location=/k\n"
                       "enable.ssl.certificate.verification=false\n"
                       "ssl.endpoint.identification.algorithm=",
                       configs));
  EXPECT_EQ(options(), (TlsOptions{.ca_file = "/ca",
                                   .certificate_file = "/c",
                                   .key_file = "/k",
                                   .key_password = "secret",
                                   .verify_peer = false,
                                   .check_name = false}));
  ASSERT_FALSE(
      parse_properties("ssl.ca.pem=A\nssl.certificate.pem=C\nssl.key.pem=K\n"
                       "ssl.endpoint.identification.algorithm=HTTPS\n"
                       "enable.ssl.certificate.verification=1",
                       configs));
  EXPECT_EQ(options(), (TlsOptions{.ca_pem = "A",
                                   .certificate_pem = "C",
                                   .key_pem = "K",
                                   .key_password = "secret",
                                   .verify_peer = true,
                                   .check_name = true}));
  const Failure failure = parse_properties("ssl.endpoint.identification.algorithm=ldap", configs);
  EXPECT_NE(failure.message().find("https, or none"), std::string::npos) << failure.message();
  ASSERT_FALSE(parse_properties("security.protocol=plaintext", configs));
  EXPECT_EQ(configs.client.stream, nullptr);
}

TEST(Properties, FromNamesAndValues) {
  Configs configs;
  const Property properties[] = {{"client.id", " me "}, {"lnger.ms", "1"}};
  ASSERT_FALSE(apply_properties(std::span(properties, 1), configs));
  EXPECT_EQ(configs.client.client_id, "me");
  const Failure failure = apply_properties(properties, configs);
  EXPECT_EQ(failure.message(), "there is no setting \"lnger.ms\"; the nearest is \"linger.ms\"");
}

}  // namespace
}  // namespace tern::kafka

// The parts of `tern kafka` that need no broker.
#include <gmock/gmock.h>

#include <cstring>
#include <string>
#include <vector>

#include "client/cli/json.h"
#include "client/cli/kcat_flags.h"
#include "client/cli/offsets.h"
#include "client/cli/options.h"
#include "client/cli/pack_format.h"
#include "client/cli/splitter.h"
#include "client/cli/text_format.h"
#include "client/cli/times.h"
#include "client/cli/watcher.h"

namespace tern::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::testing::ThrowsMessage;
using namespace std::string_literals;
using Words = std::vector<std::string>;

// --- options

std::string given(const Words& words) {
  std::string out;
  const GivenOptions found = read_options(
      words,
      {{'t', "topic", true}, {'e', "exit", false}, {'q', "quiet", false}, {1, "create", true}});
  for (const GivenOption& each : found.options) {
    out += each.letter == 1 ? std::string("create") : std::string(1, each.letter);
    out += "=" + each.value + " ";
  }
  for (const std::string& each : found.others) out += each + " ";
  return out;
}

TEST(Options, AreReadAsGetoptDoes) {
  EXPECT_EQ(given({"-t", "a", "-tb", "--topic", "c", "--topic=d"}), "t=a t=b t=c t=d ");
  EXPECT_EQ(given({"-qe", "-qet", "x"}), "q= e= q= e= t=x ");
  EXPECT_EQ(given({"one", "-q", "two", "--", "-e"}), "q= one two -e ");
  EXPECT_EQ(given({"--create", "x", "-t", "-"}), "create=x t=- ");
  EXPECT_EQ(given({"-t", "-5"}), "t=-5 ");
  EXPECT_EQ(given({"-t", ""}), "t= ");
}

// The mode, and what is left of the words.
std::string mode(Words words) {
  const KcatMode found = take_mode(words);
  std::string out = found.letter == 0 ? "-" : std::string(1, found.letter);
  if (found.quiet) out += " quiet";
  for (const std::string& each : words) out += " " + each;
  return out;
}

TEST(Options, KcatsModesAreFoundAnywhere) {
  EXPECT_EQ(mode({"-b", "h", "-t", "t"}), "- -b h -t t");
  EXPECT_EQ(mode({"-b", "h", "-C", "-t", "t"}), "C -b h -t t");
  EXPECT_EQ(mode({"-Cb", "h", "-t", "t"}), "C -b h -t t");
  EXPECT_EQ(mode({"-eCJtt", "-bh"}), "C -eJtt -bh");
  EXPECT_EQ(mode({"-C", "-C"}), "C");
  EXPECT_EQ(mode({"-qLbh"}), "L quiet -qbh");
  EXPECT_EQ(mode({"-G", "-C", "t"}), "G -G -C t");
  EXPECT_EQ(mode({"-M3"}), "M -M3");
  EXPECT_EQ(mode({"-D", "-P", "-fL", "-K-Q", "-P"}), "P -D -P -fL -K-Q");
  EXPECT_EQ(mode({"-t", "t", "--", "-C"}), "- -t t -- -C");
  EXPECT_EQ(mode({"--group=g", "-"}), "G --group=g -");
  EXPECT_THAT([] { mode({"-PC"}); }, ThrowsMessage<UsageError>("-P and -C: one of them"));
}

TEST(Options, WhatElseToDo) {
  // Every letter that some command of tern does not know and kcat has.
  for (const char letter : std::string_view("GPCLQrMUsoefOukHlTzpcDKZ")) {
    EXPECT_NE(kcat_hint(letter), nullptr) << letter;
  }
  EXPECT_EQ(kcat_hint('y'), nullptr);
}

TEST(Options, ContextsOfDebug) {
  std::string unknown;
  EXPECT_EQ(subjects_of("broker", unknown), kTellConnections | kTellTrouble);
  EXPECT_EQ(subjects_of("msg,protocol", unknown), kTellBatches | kTellRequests);
  EXPECT_EQ(unknown, "");
  EXPECT_EQ(subjects_of("queue,msg,conf", unknown), kTellBatches);
  EXPECT_EQ(unknown, "queue, conf");
  EXPECT_EQ(subjects_of("", unknown), 0u);
  EXPECT_THAT(
      [] {
        std::string none;
        subjects_of("msg,nonsense", none);
      },
      ThrowsMessage<UsageError>(HasSubstr("-d: there is no \"nonsense\"; there are all, ")));
  EXPECT_EQ(subjects_of(0), 0u);
  EXPECT_EQ(subjects_of(1), kTellRetries);
  EXPECT_EQ(subjects_of(2) & kTellBatches, 0u);
  EXPECT_NE(subjects_of(3) & kTellBatches, 0u);
  EXPECT_NE(subjects_of(9) & kTellRequests, 0u);
}

// --- binary keys and values

// What is written, and what is wrong.
std::string unpacked(std::string_view format, std::string_view bytes) {
  std::string out;
  const std::string wrong = PackFormat(format).append(bytes, out);
  return wrong.empty() ? out : out + "! " + wrong;
}

TEST(PackFormat, IntegersOfAllSizes) {
  const std::string_view high = "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8";
  EXPECT_EQ(unpacked("b", high), "-1");
  EXPECT_EQ(unpacked("B", high), "255");
  EXPECT_EQ(unpacked("h", high), "-2");
  EXPECT_EQ(unpacked("H", high), "65534");
  EXPECT_EQ(unpacked("i", high), "-66052");
  EXPECT_EQ(unpacked("I", high), "4294901244");
  EXPECT_EQ(unpacked("q", high), "-283686952306184");
  EXPECT_EQ(unpacked("Q", high), "18446460386757245432");
  EXPECT_EQ(unpacked("<h", high), "-257");
  EXPECT_EQ(unpacked("<I", high), "4244504319");
  EXPECT_EQ(unpacked("<h >h", std::string_view("\1\0\1\0", 4)), "1 256");
}

TEST(PackFormat, TextAndEnds) {
  EXPECT_EQ(unpacked("bs", "\x01rest"), "1rest");
  EXPECT_EQ(unpacked("cc", "abc"), "ab");
  EXPECT_EQ(unpacked("s$", "abc"), "abc");
  EXPECT_EQ(unpacked("s", ""), "");
  EXPECT_EQ(unpacked("b$", "\x01"), "1");
  EXPECT_EQ(unpacked("b$", "\x01\x02"), "1! $ wants no more, and 1 bytes are left");
  EXPECT_EQ(unpacked("bq", "\x01\x02"), "1! q needs 8 bytes, and 1 are left");
  EXPECT_EQ(unpacked("c", ""), "! c needs 1 bytes, and 0 are left");
}

TEST(PackFormat, WrongOnesAreNamed) {
  const auto says = [](const char* what) { return ThrowsMessage<UsageError>(HasSubstr(what)); };
  EXPECT_THAT([] { PackFormat("qx"); }, says("-s: there is no x; there are < >"));
  EXPECT_THAT([] { PackFormat(""); }, says("needs a format"));
  EXPECT_THAT([] { PackFormat("avro"); }, says("schema registries are not supported"));
}

TEST(Options, WrongOnesAreNamed) {
  const auto says = [](const char* what) { return ThrowsMessage<UsageError>(HasSubstr(what)); };
  EXPECT_THAT([] { given({"-x"}); }, says("unknown option -x"));
  EXPECT_THAT([] { given({"-qx"}); }, says("unknown option -x"));
  EXPECT_THAT([] { given({"--topics"}); }, says("unknown option --topics"));
  EXPECT_THAT([] { given({"-q", "-t"}); }, says("-t needs a value"));
  EXPECT_THAT([] { given({"--create"}); }, says("--create needs a value"));
  EXPECT_THAT([] { given({"-G", "g"}); }, says("-G: groups are for reading"));
  EXPECT_THAT([] { number_of("-c", "5x", 1, 9); }, says("-c: \"5x\" is not a number from 1 to 9"));
  EXPECT_THAT([] { number_of("-c", "10", 1, 9); }, says("from 1 to 9"));
  EXPECT_THAT([] { pair_of("-X", "=5"); }, says("-X: \"=5\" is not name=value"));
  EXPECT_EQ(pair_of("-X", "a=b=c"), (std::pair<std::string, std::string>("a", "b=c")));
}

TEST(Options, CommonOnesBecomeConfigs) {
  CommonOptions options;
  for (const GivenOption& each : std::vector<GivenOption>{
           {'b', "h:1,i:2"}, {'X', "linger.ms=7"}, {'m', "3"}, {'t', "topic"}}) {
    options.take(each);
  }
  const kafka::Configs configs = options.configs();
  EXPECT_EQ(configs.client.bootstrap, (Words{"h:1", "i:2"}));
  EXPECT_EQ(configs.producer.linger, std::chrono::milliseconds(7));
  EXPECT_EQ(configs.client.operation_timeout, std::chrono::seconds(3));
  EXPECT_EQ(options.topic, "topic");
}

// --- offsets

OffsetRange range(std::initializer_list<const char*> texts) {
  OffsetRange out;
  for (const char* text : texts) out.add(text);
  return out;
}

TEST(Offsets, ResolveWithinWhatThereIs) {
  constexpr std::int64_t kFirst = 10;
  constexpr std::int64_t kNext = 20;
  const auto at = [](std::initializer_list<const char*> texts, std::int64_t at_time = -1) {
    return resolve(range(texts), kFirst, kNext, at_time);
  };
  EXPECT_EQ(at({}), 10);
  EXPECT_EQ(at({"beginning"}), 10);
  EXPECT_EQ(at({"earliest"}), 10);
  EXPECT_EQ(at({"end"}), 20);
  EXPECT_EQ(at({"latest"}), 20);
  EXPECT_EQ(at({"15"}), 15);
  EXPECT_EQ(at({"3"}), 10);
  EXPECT_EQ(at({"30"}), 20);
  EXPECT_EQ(at({"-1"}), 19);
  EXPECT_EQ(at({"-10"}), 10);
  EXPECT_EQ(at({"-9223372036854775807"}), 10);
  EXPECT_EQ(at({"s@1000"}, 17), 17);
  EXPECT_EQ(at({"s@1000"}), 20);
}

TEST(Offsets, TimesToStopGoWithTimesToStart) {
  EXPECT_FALSE(range({"s@5"}).stop_ms.has_value());
  const OffsetRange both = range({"s@5", "e@9"});
  EXPECT_EQ(both.from, OffsetRange::From::time);
  EXPECT_EQ(both.value, 5);
  EXPECT_EQ(both.stop_ms, 9);
  EXPECT_EQ(range({"e@9"}).from, OffsetRange::From::beginning);
}

TEST(Offsets, NonsenseIsRefused) {
  for (const char* text : {"", "-", "--1", "s@", "s@-1", "e@x", "1.5", " 1", "99999999999999999999",
                           "begin", "stored"}) {
    EXPECT_THROW(range({text}), UsageError) << text;
  }
}

// --- delimiters and formats

TEST(TextFormat, EscapesBecomeBytes) {
  EXPECT_EQ(unescape("a\\n\\r\\t\\0\\\\b"), "a\n\r\t\0\\b"s);
  EXPECT_EQ(unescape("\\x41\\x7\\x1fz\\xfff"), "A\x07\x1fz\xff"s + "f");
  EXPECT_EQ(unescape("\\;\\"), ";\\");
  EXPECT_THROW(unescape("\\xg"), UsageError);
  EXPECT_THROW(unescape("\\x"), UsageError);
}

std::string formatted(const TextFormat& format, const wire::Bytes& key, const wire::Bytes& value) {
  kafka::ConsumerRecord record;
  record.topic = "topic";
  record.partition = 3;
  record.offset = 44;
  record.timestamp_ms = 555;
  record.key = key;
  record.value = value;
  std::string out;
  format.append(record, out);
  return out;
}

TEST(TextFormat, FieldsOfARecord) {
  EXPECT_EQ(formatted(TextFormat("%t|%p|%o|%T|%k|%K|%s|%S|%h|%%|%R", false), "key", "value"),
            "topic|3|44|555|key|3|value|5||%|\0\0\0\5"s);
  EXPECT_EQ(formatted(TextFormat("%k|%K|%s|%S", false), wire::Bytes::null(), ""), "|-1||0");
  EXPECT_EQ(formatted(TextFormat("%k|%s", true), wire::Bytes::null(), ""), "NULL|");
  EXPECT_EQ(formatted(TextFormat("%s%s", false), "", "a%tb"), "a%tba%tb");
  EXPECT_THROW(TextFormat("%q", false), UsageError);
  EXPECT_THROW(TextFormat("100%", false), UsageError);
}

TEST(TextFormat, DelimitersOfARecord) {
  const std::string colon = ":";
  EXPECT_EQ(formatted(TextFormat(nullptr, "\n", false, false), "k", "v"), "v\n");
  EXPECT_EQ(formatted(TextFormat(&colon, "\n", false, false), "k", "v"), "k:v\n");
  EXPECT_EQ(formatted(TextFormat(&colon, ";", true, true), wire::Bytes::null(), "v"), "44:NULL:v;");
}

// --- cutting input

// Fed in pieces of `piece` bytes.
Words cut(const std::string& input, const std::string& delimiter, std::size_t piece,
          std::size_t longest = 1000) {
  Splitter splitter(delimiter, longest);
  Words out;
  const auto take = [&] {
    std::string_view record;
    for (Splitter::Step step = splitter.next(record); step != Splitter::Step::more;
         step = splitter.next(record)) {
      out.push_back(step == Splitter::Step::record ? std::string(record) : "TOO LONG");
    }
  };
  for (std::size_t at = 0; at < input.size(); at += piece) {
    const std::size_t bytes = std::min(piece, input.size() - at);
    std::memcpy(splitter.room().data(), input.data() + at, bytes);
    splitter.filled(bytes);
    take();
  }
  splitter.finish();
  take();
  EXPECT_EQ(splitter.count(), static_cast<std::int64_t>(out.size()));
  return out;
}

TEST(Splitter, CutsTheSameHoweverItComes) {
  for (std::size_t piece = 1; piece < 12; ++piece) {
    EXPECT_EQ(cut("a\n\nbc\nd", "\n", piece), (Words{"a", "", "bc", "d"})) << piece;
    EXPECT_EQ(cut("a\nbc\n", "\n", piece), (Words{"a", "bc"})) << piece;
    EXPECT_EQ(cut("a<<>b<>>c<>", "<>", piece), (Words{"a<", "b", ">c"})) << piece;
    EXPECT_EQ(cut("aab", "aab", piece), Words{""}) << piece;
    EXPECT_EQ(cut("aaab", "aab", piece), Words{"a"}) << piece;
    EXPECT_EQ(cut("a\0b\0"s, "\0"s, piece), (Words{"a", "b"})) << piece;
    EXPECT_EQ(cut("a\nb\n", "", piece), Words{"a\nb\n"}) << piece;
    EXPECT_EQ(cut("", "\n", piece), Words{}) << piece;
  }
}

TEST(Splitter, WhatIsTooLongIsPassedOver) {
  for (std::size_t piece = 1; piece < 30; ++piece) {
    EXPECT_EQ(cut("12345\n123456\n1\n1234567890123", "\n", piece, 5),
              (Words{"12345", "TOO LONG", "1", "TOO LONG"}))
        << piece;
    EXPECT_EQ(cut("12345<>123456<>12345", "<>", piece, 5), (Words{"12345", "TOO LONG", "12345"}))
        << piece;
  }
}

TEST(Splitter, AnEndlessRecordNeedsNoEndlessMemory) {
  Splitter splitter("\n", 1000);
  const char* first = nullptr;
  std::string_view record;
  for (int i = 0; i < 1000; ++i) {
    const std::span<char> room = splitter.room();
    if (i == 5) first = room.data();
    if (i > 5) {
      ASSERT_EQ(room.data(), first) << "the buffer has grown";
    }
    std::fill(room.begin(), room.end(), 'x');
    splitter.filled(room.size());
    ASSERT_EQ(splitter.next(record), Splitter::Step::more);
  }
  splitter.room()[0] = '\n';
  splitter.filled(1);
  EXPECT_EQ(splitter.next(record), Splitter::Step::too_long);
}

// --- JSON

TEST(Json, StringsAreEscaped) {
  std::string out;
  append_json_string("a\"\\\n\t\x01\x7f\xc3\xa9\xff\xed\xa0\x80", out);
  EXPECT_EQ(
      out,
      "\"a\\\"\\\\\\n\\t\\u0001\\u007f\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

// What `json` reads as: "topic/partition/ts key value name=value...", ~ for null or not said.
std::string read(const std::string& json) {
  JsonRecord record;
  const std::string wrong = read_json(json, record);
  if (!wrong.empty()) return "wrong: " + wrong;
  std::string out = record.topic.value_or("~") + "/" + std::to_string(record.partition) + "/" +
                    std::to_string(record.timestamp_ms) + " " + record.key.value_or("~") + " " +
                    record.value.value_or("~");
  for (const auto& [name, value] : record.headers) out += " " + name + "=" + value.value_or("~");
  return out;
}

TEST(Json, RecordsAreRead) {
  EXPECT_EQ(read("{}"), "~/-1/-1 ~ ~");
  EXPECT_EQ(read(R"({"topic":"t","partition":2,"ts":5,"key":"k","value":"v"})"), "t/2/5 k v");
  EXPECT_EQ(read(R"({"payload":{"b":1,"a":[true,null]},"key":7})"),
            "~/-1/-1 7 {\"b\":1,\"a\":[true,null]}");
  EXPECT_EQ(read(R"({"key":null,"value":null,"offset":1,"broker":1,"tstype":"create","ts":-1})"),
            "~/-1/-1 ~ ~");
  EXPECT_EQ(read(R"({"headers":["a","1","a",null]})"), "~/-1/-1 ~ ~ a=1 a=~");
  EXPECT_EQ(read(R"({"headers":{"a":"1","b":2}})"), "~/-1/-1 ~ ~ a=1 b=2");
  EXPECT_EQ(read(R"({"key_base64":"","value_base64":"YWJj"})"), "~/-1/-1  abc");
  EXPECT_EQ(read(R"({"key_base64":"YQ==","payload_base64":"YWI="})"), "~/-1/-1 a ab");
}

TEST(Json, WhatIsWrongIsSaid) {
  for (const auto& [json, wrong] : std::vector<std::pair<std::string, std::string>>{
           {"", "not JSON: "},
           {"{\"a\":", "not JSON: column 6"},
           {"[]", "not a JSON object"},
           {"{} {}", "not JSON: column 4"},
           {"{\"kee\":1}", "\"kee\" is not a field of a record; there are topic, "},
           {"{\"topic\":1}", "topic: not a string"},
           {"{\"partition\":-1}", "partition: not a number"},
           {"{\"partition\":4294967296}", "partition: not a number"},
           {"{\"ts\":1.5}", "ts: not a number"},
           {"{\"headers\":[\"a\"]}", "headers: "},
           {"{\"headers\":[1,\"a\"]}", "headers: "},
           {"{\"key_base64\":\"a\"}", "key_base64: not base64"},
           {"{\"key_base64\":\"a*==\"}", "key_base64: not base64"},
           {"{\"key_base64\":\"====\"}", "key_base64: not base64"},
           {"{\"key_base64\":7}", "key_base64: not base64"},
           {"{\"value\":\"\xff\"}", "not JSON: "}}) {
    EXPECT_THAT(read(json), StartsWith("wrong: " + wrong)) << json;
  }
}

TEST(Json, WhatIsWrittenIsReadAgain) {
  kafka::ConsumerRecord record;
  record.topic = "t";
  record.partition = 1;
  record.offset = 9;
  record.timestamp_ms = 77;
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  for (std::size_t length = 0; length < all.size(); ++length) {
    const std::string bytes = all.substr(all.size() - length);
    record.key = bytes;
    record.value = std::string_view(all).substr(0, length);
    std::string json;
    append_json(record, -1, json);
    EXPECT_EQ(read(json), "t/1/77 " + bytes + " " + all.substr(0, length));
  }
}

// --- times

TEST(Times, Durations) {
  EXPECT_EQ(duration_ms("--d", "90s"), 90'000);
  EXPECT_EQ(duration_ms("--d", "15m"), 900'000);
  EXPECT_EQ(duration_ms("--d", "2h"), 7'200'000);
  EXPECT_EQ(duration_ms("--d", "7d"), 604'800'000);
  EXPECT_EQ(duration_ms("--d", "P1W"), 604'800'000);
  EXPECT_EQ(duration_ms("--d", "PT1H30M"), 5'400'000);
  EXPECT_EQ(duration_ms("--d", "P1DT12H"), 129'600'000);
  EXPECT_EQ(duration_ms("--d", "PT0.25S"), 250);
  EXPECT_EQ(duration_ms("--d", "PT1.0005S"), 1000);
  for (const char* wrong :
       {"", "5", "h", "P", "PT", "P1DT", "1h30m", "-1h", "P1H", "9999999999s"}) {
    EXPECT_THAT([&] { duration_ms("--d", wrong); },
                ThrowsMessage<UsageError>(StartsWith("--d: \"" + std::string(wrong) + "\" is no")));
  }
}

TEST(Times, PointsInTime) {
  EXPECT_EQ(datetime_ms("--t", "1970-01-01"), 0);
  EXPECT_EQ(datetime_ms("--t", "2024-02-29T12:30"), 1'709'209'800'000);
  EXPECT_EQ(datetime_ms("--t", "2024-02-29T12:30:15.25"), 1'709'209'815'250);
  EXPECT_EQ(datetime_ms("--t", "2024-02-29T12:30:15Z"), 1'709'209'815'000);
  EXPECT_EQ(datetime_ms("--t", "2024-02-29T12:30:15+02:00"), 1'709'202'615'000);
  EXPECT_EQ(datetime_ms("--t", "2024-02-29T12:30:15-0130"), 1'709'215'215'000);
  for (const char* wrong : {"", "now", "2024-02-30", "2023-02-29", "2024-02-29T24:00",
                            "2024-02-29T12:60", "2024-02-29T12", "2024-02-29T12:30+2"}) {
    EXPECT_THAT([&] { datetime_ms("--t", wrong); },
                ThrowsMessage<UsageError>(StartsWith("--t: \"" + std::string(wrong) + "\" is no")));
  }
}

}  // namespace
}  // namespace tern::cli

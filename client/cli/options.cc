#include "client/cli/options.h"

#include <getopt.h>

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "client/codecs/lz4.h"
#include "client/codecs/snappy.h"
#include "client/codecs/zstd.h"
#include "client/tls/openssl.h"

namespace tern::cli {
namespace {

[[noreturn]] void refuse(const std::string& word, int letter, bool missing_value, Hint hint) {
  if (missing_value) throw UsageError(word + " needs a value");
  if (const char* why = hint ? hint(static_cast<char>(letter)) : nullptr) {
    throw UsageError(std::string("-") + static_cast<char>(letter) + ": " + why);
  }
  const bool is_long = word.starts_with("--") || letter == 0;
  throw UsageError("unknown option " + (is_long ? word : std::string("-") + char(letter)));
}

void read_file(const char* what, const std::string& path, std::vector<kafka::Property>& out) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw UsageError(std::string(what) + ": cannot read " + path);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (const Failure failure = kafka::read_properties(text, out)) {
    throw UsageError(path + ": " + failure.message());
  }
}

// What is wrong with the options of TLS, which is told by the library's names for them.
std::string by_kafkas_names(std::string message) {
  constexpr std::string_view kTls = "TLS: ";
  if (!message.starts_with(kTls)) return message;
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"ca_file ", "ssl.ca.location "},
      {"ca_pem", "ssl.ca.pem"},
      {"certificate_file ", "ssl.certificate.location "},
      {"certificate_pem", "ssl.certificate.pem"},
      {"key_file ", "ssl.key.location "},
      {"key_pem", "ssl.key.pem"},
  };
  for (const auto& [name, kafkas] : kNames) {
    if (message.compare(kTls.size(), name.size(), name) != 0) continue;
    message.replace(kTls.size(), name.size(), kafkas);
    break;
  }
  return message +
         "; ssl.ca.location names a PEM file of who is trusted, ssl.certificate.location and "
         "ssl.key.location those of who you are, ssl.key.password opens the key";
}

}  // namespace

GivenOptions read_options(const std::vector<std::string>& arguments,
                          const std::vector<Option>& known, Hint hint) {
  std::string shorts = ":";  // tells a missing value apart
  std::vector<::option> longs;
  for (const Option& each : known) {
    if (std::isalnum(static_cast<unsigned char>(each.letter)) != 0) {
      shorts += each.letter;
      if (each.has_value) shorts += ':';
    }
    if (each.name) longs.push_back({each.name, each.has_value ? 1 : 0, nullptr, each.letter});
  }
  longs.push_back({});
  std::vector<std::string> words = {"tern"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  const int count = static_cast<int>(pointers.size());
  pointers.push_back(nullptr);

  GivenOptions given;
  optind = 0;  // glibc: begin anew
  opterr = 0;
  for (;;) {
    const int at = optind;
    const int letter = getopt_long(count, pointers.data(), shorts.c_str(), longs.data(), nullptr);
    if (letter == -1) break;
    if (letter == '?' || letter == ':') {
      const char* word = pointers[static_cast<std::size_t>(optind > at ? optind - 1 : at)];
      refuse(word, optopt, letter == ':', hint);
    }
    given.options.push_back({static_cast<char>(letter), optarg ? optarg : ""});
  }
  for (int i = optind; i < count; ++i)
    given.others.emplace_back(pointers[static_cast<std::size_t>(i)]);
  return given;
}

std::int64_t number_of(const char* what, const std::string& text, std::int64_t least,
                       std::int64_t most) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < least || number > most) {
    throw UsageError(std::string(what) + ": \"" + text + "\" is not a number from " +
                     std::to_string(least) + " to " + std::to_string(most));
  }
  return number;
}

std::pair<std::string, std::string> pair_of(const char* what, const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw UsageError(std::string(what) + ": \"" + text + "\" is not name=value");
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

void CommonOptions::take(const GivenOption& option) {
  switch (option.letter) {
    case 'b':
      properties.push_back({"bootstrap.servers", option.value});
      break;
    case 'X': {
      auto [name, value] = pair_of("-X", option.value);
      if (name == "debug") return take({'d', value});
      if (name.starts_with("schema.registry.")) {
        throw UsageError("-X " + name + ": " + kcat_hint('r'));
      }
      properties.push_back({std::move(name), std::move(value)});
      break;
    }
    case 'F':
      no_file = option.value == "none" || option.value == "-";
      if (!no_file) read_file("-F", file = option.value, properties);
      break;
    case 'm':
      properties.push_back({"default.api.timeout.ms",
                            std::to_string(1000 * number_of("-m", option.value, 1, 1'000'000))});
      break;
    case 't':
      topic = option.value;
      break;
    case 'q':
      verbosity = 0;
      break;
    case 'v':
      ++verbosity;
      break;
    case 'd':
      subjects |= subjects_of(option.value, unknown);
      break;
    case 'E':
      ignore_errors = true;
      break;
    case 'J':
      json = true;
      break;
    default:
      break;  // read_options() lets no others through
  }
}

std::string CommonOptions::usual_file() const {
  const char* const named = std::getenv("KCAT_CONFIG");
  return named && file.empty() && !no_file ? named : "";
}

std::vector<kafka::Property> CommonOptions::given() const {
  std::vector<kafka::Property> all;
  if (const std::string path = usual_file(); !path.empty()) read_file("KCAT_CONFIG", path, all);
  all.insert(all.end(), properties.begin(), properties.end());
  return all;
}

kafka::Configs empty_configs() {
  kafka::Configs configs;
  configs.make_tls = tls::openssl;
  configs.client.codecs = {kafka::gzip(), kafka::snappy(), kafka::lz4(), kafka::zstd()};
  return configs;
}

kafka::Configs CommonOptions::configs() const {
  kafka::Configs configs = empty_configs();
  // Somebody sits there and waits.
  configs.client.operation_timeout = std::chrono::seconds(10);
  configs.producer.metadata_timeout = std::chrono::seconds(10);
  if (const Failure failure = kafka::apply_properties(given(), configs)) {
    const std::string message = failure.message();
    const std::string from = file.empty() ? usual_file() : file;
    throw UsageError(message.starts_with("line ") ? from + ": " + message : message);
  }
  if (configs.client.bootstrap.empty()) {
    throw UsageError("which cluster? say -b HOST:PORT (or bootstrap.servers with -X or -F)");
  }
  for (const Failure& failure :
       {check(configs.client), check(configs.producer, configs.client), check(configs.consumer)}) {
    if (failure) throw UsageError(by_kafkas_names(failure.message()));
  }
  return configs;
}

}  // namespace tern::cli

// Writes batches for other clients to read: records_peer FOLDER [SEED]
//
// For each batch two files, NAME.batch (hex) and NAME.lines (what tern reads from it, in the form
// of tests/golden/records). See records_peer_check.py.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "client/codecs/lz4.h"
#include "client/codecs/snappy.h"
#include "client/codecs/zstd.h"
#include "protocol/kafka/gzip.h"
#include "protocol/kafka/records.h"
#include "tests/kafka/records_dump.h"

namespace tern::kafka {
namespace {

using Random = std::mt19937_64;

std::string random_text(Random& random) {
  constexpr std::size_t kLengths[] = {0, 1, 5, 63, 64, 100, 1000, 8192, 70000};
  std::string text(kLengths[random() % (random() % 10 == 0 ? std::size(kLengths) : 6)], '\0');
  for (char& c : text) c = static_cast<char>('!' + random() % 90);
  return text;
}

std::vector<std::byte> random_batch(Random& random, const BatchBuilder::Options& options,
                                    int count) {
  BatchBuilder builder(options);
  for (int i = 0; i < count; ++i) {
    const std::string key = random_text(random);
    const std::string value = random_text(random);
    std::vector<std::string> texts;
    for (std::size_t n = random() % 3 == 0 ? random() % 4 : 0; n != 0; --n) {
      texts.push_back(random_text(random));
    }
    std::vector<Header> headers;
    for (const std::string& text : texts) {
      headers.push_back({text, random() % 4 == 0 ? wire::Bytes::null() : wire::Bytes(text)});
    }
    builder.add({.key = random() % 4 == 0 ? wire::Bytes::null() : wire::Bytes(key),
                 .value = random() % 4 == 0 ? wire::Bytes::null() : wire::Bytes(value),
                 .headers = headers,
                 .timestamp_ms = 1700000000000 + static_cast<std::int64_t>(random() % 100000)});
  }
  const auto batch = builder.finish();
  if (!batch) std::abort();
  return *batch;
}

bool write(const std::string& path, std::span<const std::byte> batch) {
  std::ofstream(path + ".batch") << testing::to_hex(batch) << '\n';
  std::ofstream lines(path + ".lines");
  const Codecs codecs = {gzip(), lz4(), snappy(), zstd()};
  for (const std::string& line : testing::dump_records(batch, codecs)) lines << line << '\n';
  return static_cast<bool>(lines);
}

int run(const std::string& folder, std::uint64_t seed) {
  Random random(seed);
  const Codecs codecs = {gzip(1), gzip(9), lz4(), lz4(9), snappy(), zstd(), zstd(19)};
  for (int i = 0; i < 84; ++i) {
    BatchBuilder::Options options;
    const int count = i == 0 ? 1 : static_cast<int>(1 + random() % 50);
    if (i % 2 == 1) options.codec = codecs[static_cast<std::size_t>(i / 2) % codecs.size()];
    if (i % 3 == 0) {
      options.producer_id = static_cast<std::int64_t>(random() % (std::uint64_t{1} << 40));
      options.producer_epoch = static_cast<std::int16_t>(random() % 30000);
      options.base_sequence = i % 6 == 0 ? std::numeric_limits<std::int32_t>::max() - 3 : 0;
    }
    if (i % 10 == 9) {
      options.timestamp_type = TimestampType::log_append;
      options.log_append_time_ms = 1700000123456;
    }
    char name[32];
    std::snprintf(name, sizeof name, "/%03d", i);
    if (!write(folder + name, random_batch(random, options, count))) return 1;
  }
  return 0;
}

}  // namespace
}  // namespace tern::kafka

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: records_peer FOLDER [SEED]\n"), 2;
  return tern::kafka::run(argv[1], argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
}

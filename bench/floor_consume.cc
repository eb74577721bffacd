// The physical floor of consuming: fetches of 1 MB over one blocking socket into one reused buffer,
// the CRC32C of each batch checked in hardware, every field of every record read. No metadata, no
// prefetch queue, no threads. One fetch is always under way while the answer before it is read, as
// in any client that is not idle between two fetches.
//
//   floor_consume --broker HOST:PORT --records N [--topic T] [--fetch BYTES]
//
// Speaks Fetch v4 on partition 0, so it also runs against a real broker. Uncompressed batches only.
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "bench/wire.h"

namespace tern::bench {
namespace {

struct Seen {
  std::int64_t records = 0;
  std::uint64_t sum = 0;  // over every field, so that none can be skipped
};

class FloorConsumer {
 public:
  FloorConsumer(BlockingSocket& socket, std::string topic, std::int32_t fetch_bytes)
      : socket_(socket), topic_(std::move(topic)), fetch_bytes_(fetch_bytes) {}

  Seen run(std::int64_t records);

 private:
  void ask(std::int64_t offset);
  void read_batches(const char* p, const char* end, Seen& seen);
  const char* read_records(const char* p, std::int32_t count, std::int64_t base, Seen& seen);

  BlockingSocket& socket_;
  Crc32c crc32c_;
  std::string topic_;
  std::int32_t fetch_bytes_;
  std::int64_t next_ = 0;
  std::vector<char> buffer_;
};

void FloorConsumer::ask(std::int64_t offset) {
  char request[256];
  char* p = put(request + 4, std::int16_t{1});
  p = put(p, std::int16_t{4});
  p = put(p, std::int32_t{1});
  p = put_string(p, "floor");
  p = put(p, std::int32_t{-1});
  p = put(p, std::int32_t{500});  // max wait, ms
  p = put(p, std::int32_t{1});
  p = put(p, fetch_bytes_);
  p = put(p, std::int8_t{0});
  p = put(p, std::int32_t{1});
  p = put_string(p, topic_);
  p = put(p, std::int32_t{1});
  p = put(p, std::int32_t{0});
  p = put(p, offset);
  p = put(p, fetch_bytes_);
  put(request, static_cast<std::int32_t>(p - request - 4));
  socket_.write_all(request, static_cast<std::size_t>(p - request));
}

const char* FloorConsumer::read_records(const char* p, std::int32_t count, std::int64_t base,
                                        Seen& seen) {
  std::uint64_t sum = 0;
  for (std::int32_t i = 0; i < count; ++i) {
    std::int64_t body, time, offset, key_size, value_size, headers;
    p = get_varint(p, body);
    const char* const end = p + body;
    const char attributes = *p++;
    p = get_varint(p, time);
    p = get_varint(p, offset);
    p = get_varint(p, key_size);
    if (key_size > 0) p += key_size;
    p = get_varint(p, value_size);
    const char* const value = p;
    if (value_size > 0) p += value_size;
    p = get_varint(p, headers);
    if (p != end || headers != 0 || value_size < 1) {
      std::fprintf(stderr, "record %d of the batch at %lld does not fit\n", i,
                   static_cast<long long>(base));
      std::exit(1);
    }
    sum += static_cast<std::uint64_t>(base + offset + time + key_size + value_size) +
           static_cast<std::uint64_t>(attributes) + static_cast<unsigned char>(*value);
  }
  seen.sum += sum;
  seen.records += count;
  return p;
}

void FloorConsumer::read_batches(const char* p, const char* end, Seen& seen) {
  while (end - p >= static_cast<std::ptrdiff_t>(kBatchHeader)) {
    const auto base = get<std::int64_t>(p);
    const auto size = static_cast<std::ptrdiff_t>(get<std::int32_t>(p + 8)) + 12;
    if (size > end - p) return;  // a truncated tail is legal
    if (crc32c_(p + kBatchCrcFrom, static_cast<std::size_t>(size) - kBatchCrcFrom) !=
        get<std::uint32_t>(p + kBatchCrcAt)) {
      std::fprintf(stderr, "bad CRC at offset %lld\n", static_cast<long long>(base));
      std::exit(1);
    }
    read_records(p + kBatchHeader, get<std::int32_t>(p + kBatchCountAt), base, seen);
    p += size;
  }
}

Seen FloorConsumer::run(std::int64_t records) {
  Seen seen;
  ask(0);
  while (seen.records < records) {
    const std::size_t size = socket_.read_frame(buffer_);
    const char* p = buffer_.data() + 4 + 4 + 4;  // correlation id, throttle, one topic
    p += 2 + get<std::int16_t>(p) + 4 + 4;       // its name, one partition, index 0
    const auto error = get<std::int16_t>(p);
    p += 2 + 8 + 8;
    const auto aborted = get<std::int32_t>(p);
    p += 4 + (aborted > 0 ? aborted * 16 : 0);
    const auto bytes = get<std::int32_t>(p);
    p += 4;
    if (error != 0 || p + bytes > buffer_.data() + size) {
      std::fprintf(stderr, "fetch: error %d\n", error);
      std::exit(1);
    }
    // The next position needs only the batch headers, so the next fetch is asked for first and the
    // broker works while the records of this one are read.
    const char* end = p + bytes;
    for (const char* b = p; end - b >= static_cast<std::ptrdiff_t>(kBatchHeader);) {
      const auto batch = static_cast<std::ptrdiff_t>(get<std::int32_t>(b + 8)) + 12;
      if (batch > end - b) break;
      next_ = get<std::int64_t>(b) + get<std::int32_t>(b + 23) + 1;
      b += batch;
    }
    if (next_ < records) ask(next_);
    read_batches(p, end, seen);
  }
  return seen;
}

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  using namespace tern::bench;
  Options options(argc, argv);
  const std::string broker = options.text("--broker", "127.0.0.1:9092");
  const std::string topic = options.text("--topic", "bench");
  const std::int64_t records = options.number("--records", 10'000'000);
  const auto fetch = static_cast<std::int32_t>(options.number("--fetch", 1'000'000));
  const int receive_buffer = static_cast<int>(options.number("--receive-buffer", 0));
  options.done();
  if (!Crc32c().hardware()) std::fprintf(stderr, "no CRC32C instruction: this is not the floor\n");

  BlockingSocket socket(broker);
  if (receive_buffer > 0) socket.set(SO_RCVBUF, receive_buffer);
  FloorConsumer consumer(socket, topic, fetch);
  const Clock from = Clock::read();
  const Seen seen = consumer.run(records);
  report("floor", seen.records, from, Clock::read(), socket.syscalls());
  std::fprintf(stderr, "checksum %llx\n", static_cast<unsigned long long>(seen.sum));
  return 0;
}

// The physical floor of producing: the least code that can put records on a Kafka connection. One
// blocking socket, every record encoded with varints and one copy, hardware CRC32C over each batch,
// one gathered write per request, at most five requests unanswered. No metadata, no retries, no
// threads, no timers: whatever a real client costs more than this is the client's doing.
//
//   floor_produce --broker HOST:PORT --records N --size BYTES --partitions P
//                 [--topic T] [--batch BYTES] [--fill BYTES] [--keep REQUESTS]
//
// With one partition a request carries one batch of --batch bytes. With P partitions every record
// goes to a random one, and a request carries all partitions' batches once --fill bytes lie in
// them. What is written is forgotten, as no client that retries may: --keep encodes into the
// memories of so many requests in turn, as if batches stayed until they are acknowledged. Speaks
// Produce v7 with acks=1, so it also runs against a real broker (which must lead all partitions of
// the topic and accept --batch bytes).
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "bench/wire.h"

namespace tern::bench {
namespace {

struct Batch {
  char* begin = nullptr;
  char* at = nullptr;
  std::int32_t count = 0;
};

class FloorProducer {
 public:
  // A batch has room for `each` bytes.
  FloorProducer(BlockingSocket& socket, std::string topic, std::size_t partitions, std::size_t each,
                std::size_t keep)
      : socket_(socket), topic_(std::move(topic)), each_(each), batches_(partitions) {
    for (std::size_t i = 0; i < keep; ++i) memories_.emplace_back(each * partitions);
    heads_.resize(partitions * 8);
    pieces_.resize(partitions * 2 + 1);
    next_memory();
  }

  void run(std::int64_t records, const Payloads& payloads, std::size_t size);
  void run_many(std::int64_t records, const Payloads& payloads, std::size_t size, std::size_t fill);

 private:
  static constexpr int kMaxInFlight = 5;

  void next_memory() {
    char* memory = memories_[turn_++ % memories_.size()].data();
    for (std::size_t i = 0; i < batches_.size(); ++i) {
      batches_[i].begin = memory + i * each_;
      batches_[i].at = batches_[i].begin + kBatchHeader;
    }
  }
  void send();
  void read_answer();

  BlockingSocket& socket_;
  Crc32c crc32c_;
  std::string topic_;
  const std::size_t each_;
  std::vector<Batch> batches_;
  std::vector<std::vector<char>> memories_;
  std::size_t turn_ = 0;
  std::vector<char> heads_, answer_;
  std::vector<iovec> pieces_;
  std::int32_t correlation_ = 0;
  int in_flight_ = 0;
};

// One request with every batch that holds something.
void FloorProducer::send() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  const std::int64_t now_ms = now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
  std::size_t used = 1;
  std::size_t body = 0;
  std::int32_t partitions = 0;
  for (std::size_t i = 0; i < batches_.size(); ++i) {
    Batch& batch = batches_[i];
    if (batch.count == 0) continue;
    close_batch(batch.begin, batch.at, batch.count, now_ms, 0, crc32c_);
    const auto size = static_cast<std::size_t>(batch.at - batch.begin);
    char* head = heads_.data() + i * 8;
    put(put(head, static_cast<std::int32_t>(i)), static_cast<std::int32_t>(size));
    pieces_[used++] = {head, 8};
    pieces_[used++] = {batch.begin, size};
    body += 8 + size;
    ++partitions;
    batch.at = batch.begin + kBatchHeader;
    batch.count = 0;
  }
  if (partitions == 0) return;
  char envelope[256];
  char* p = put(envelope + 4, std::int16_t{0});
  p = put(p, std::int16_t{7});
  p = put(p, ++correlation_);
  p = put_string(p, "floor");
  p = put(p, std::int16_t{-1});  // no transactional id
  p = put(p, std::int16_t{1});   // acks
  p = put(p, std::int32_t{30'000});
  p = put(p, std::int32_t{1});
  p = put_string(p, topic_);
  p = put(p, partitions);
  const auto envelope_size = static_cast<std::size_t>(p - envelope);
  put(envelope, static_cast<std::int32_t>(envelope_size - 4 + body));
  pieces_[0] = {envelope, envelope_size};
  socket_.write_all(pieces_.data(), used);
  if (memories_.size() > 1) next_memory();
  if (++in_flight_ == kMaxInFlight) read_answer();
}

void FloorProducer::read_answer() {
  const std::size_t size = socket_.read_frame(answer_);
  // correlation id, one topic, its partitions: index, error, offset, append time, log start
  const char* p = answer_.data() + 4 + 4;
  p += 2 + get<std::int16_t>(p);
  const auto partitions = get<std::int32_t>(p);
  p += 4;
  for (std::int32_t i = 0; i < partitions; ++i, p += 30) {
    const auto error = get<std::int16_t>(p + 4);
    if (error != 0 || p + 30 > answer_.data() + size) {
      std::fprintf(stderr, "partition %d: error %d\n", get<std::int32_t>(p), error);
      std::exit(1);
    }
  }
  --in_flight_;
}

void FloorProducer::run(std::int64_t records, const Payloads& payloads, std::size_t size) {
  Batch& batch = batches_[0];
  while (records > 0) {
    char* const end = batch.begin + each_ - 2 * size - 96;
    char* at = batch.at;
    std::int32_t count = 0;
    const auto most = static_cast<std::int32_t>(std::min<std::int64_t>(records, 1 << 30));
    while (at < end && count < most) {
      at = put_record(at, count, 0, payloads[static_cast<std::uint64_t>(count)].data(), size);
      ++count;
    }
    batch.at = at;
    batch.count = count;
    records -= count;
    send();
  }
  while (in_flight_ > 0) read_answer();
}

void FloorProducer::run_many(std::int64_t records, const Payloads& payloads, std::size_t size,
                             std::size_t fill) {
  Dice dice(static_cast<std::uint32_t>(batches_.size()));
  std::size_t held = 0;
  for (std::int64_t i = 0; i < records; ++i) {
    Batch& batch = batches_[dice.roll()];
    char* const at =
        put_record(batch.at, batch.count, 0, payloads[static_cast<std::uint64_t>(i)].data(), size);
    held += static_cast<std::size_t>(at - batch.at);
    batch.at = at;
    ++batch.count;
    if (held >= fill || at > batch.begin + each_ - size - 32) {
      send();
      held = 0;
    }
  }
  send();
  while (in_flight_ > 0) read_answer();
}

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  using namespace tern::bench;
  Options options(argc, argv);
  const std::string broker = options.text("--broker", "127.0.0.1:9092");
  const std::string topic = options.text("--topic", "bench");
  const std::int64_t records = options.number("--records", 10'000'000);
  const auto size = static_cast<std::size_t>(options.number("--size", 100));
  const auto partitions = static_cast<std::size_t>(options.number("--partitions", 1));
  const auto batch = static_cast<std::size_t>(options.number("--batch", 1'000'000));
  const auto fill = static_cast<std::size_t>(options.number("--fill", 1'000'000));
  const auto keep = static_cast<std::size_t>(options.number("--keep", 1));
  const int send_buffer = static_cast<int>(options.number("--send-buffer", 0));
  options.done();
  if (!Crc32c().hardware()) std::fprintf(stderr, "no CRC32C instruction: this is not the floor\n");

  const Payloads payloads(size);
  BlockingSocket socket(broker);
  if (send_buffer > 0) socket.set(SO_SNDBUF, send_buffer);
  // With many partitions three times the mean share, plus room for a run of luck; a full batch
  // sends early.
  const std::size_t each =
      partitions == 1 ? batch + size + 64 : fill / partitions * 3 + kBatchHeader + 16 * (size + 32);
  FloorProducer producer(socket, topic, partitions, each, keep);
  const Clock from = Clock::read();
  if (partitions == 1) {
    producer.run(records, payloads, size);
  } else {
    producer.run_many(records, payloads, size, fill);
  }
  report("floor", records, from, Clock::read(), socket.syscalls());
  return 0;
}

// A Kafka broker that does almost nothing, for measuring clients: it acknowledges Produce without
// keeping a byte and answers Fetch from a response made in advance. One blocking thread per
// connection, loopback only. It reads request headers and of Produce what the answer needs; record
// bytes are dropped inside the kernel where they come in large pieces. Independent of the library.
//
//   null_broker [--port P (0: any)] [--partitions N] [--size BYTES] [--batch-records N]
//               [--limit RECORDS] [--gzip LEVEL] [--verify 1]
//
// Prints "port P" once it listens. Every topic exists, has --partitions partitions, and --limit
// records in each (0: endless; else a multiple of --batch-records). On SIGTERM it prints, as one
// JSON line, what it received, so that a client that sent less than it claims is seen. --verify
// also checks every CRC and that each producer's sequences and record offsets have no gap: slow,
// for proving a client right, not for measuring it.
//
// Versions offered (what librdkafka 2.0, franz-go 1.22 and this library need to run fully, without
// flexible versions): ApiVersions 0-2 (error 35 above), Metadata 1-4, Produce 0-7 (answers 3-7),
// Fetch 0-4 (answers 4), ListOffsets 0-2 (answers 1-2), FindCoordinator 0-1, InitProducerId 0-1.
#include <poll.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/measure.h"
#include "bench/serve.h"
#include "bench/wire.h"

namespace tern::bench {
namespace {

struct Settings {
  std::uint16_t port = 0;
  std::int32_t partitions = 1;
  std::size_t size = 100;
  std::int32_t batch_records = 1000;
  std::int64_t limit = 0;
  int gzip = -1;
  bool verify = false;
};

Settings settings;
std::atomic<std::int64_t> produced_records{0}, produced_bytes{0}, produce_requests{0},
    produced_batches{0}, fetch_requests{0}, faults{0}, next_producer_id{1000};
std::vector<std::atomic<std::int64_t>> log_ends;  // by partition; all topics share them

// ---- Reading a request ----

// A stream over one socket: small reads come from a buffer, large skips never leave the kernel.
class Input {
 public:
  explicit Input(int fd) : fd_(fd), buffer_(1 << 18) {}

  bool fill(std::size_t n) {  // at least n bytes in the buffer; false at the end of the stream
    if (n > buffer_.size()) return false;
    if (end_ - at_ >= n) return true;
    std::memmove(buffer_.data(), buffer_.data() + at_, end_ - at_);
    end_ -= at_;
    at_ = 0;
    while (end_ < n) {
      const ssize_t got = recv(fd_, buffer_.data() + end_, buffer_.size() - end_, 0);
      if (got <= 0) return false;
      end_ += static_cast<std::size_t>(got);
    }
    return true;
  }
  const char* take(std::size_t n) {
    if (!fill(n)) return nullptr;
    left_ -= static_cast<std::int64_t>(n);
    const char* p = buffer_.data() + at_;
    at_ += n;
    return p;
  }
  bool copy(char* to, std::size_t n) {
    left_ -= static_cast<std::int64_t>(n);
    const std::size_t held = std::min(n, end_ - at_);
    std::memcpy(to, buffer_.data() + at_, held);
    at_ += held;
    for (std::size_t done = held; done < n;) {
      const ssize_t got = recv(fd_, to + done, n - done, MSG_WAITALL);
      if (got <= 0) return false;
      done += static_cast<std::size_t>(got);
    }
    return true;
  }
  bool skip(std::size_t n) {
    left_ -= static_cast<std::int64_t>(n);
    const std::size_t held = std::min(n, end_ - at_);
    at_ += held;
    n -= held;
    while (n > 0) {
      if (n < buffer_.size() / 4) return fill(n) && (at_ += n, true);
      // For TCP, MSG_TRUNC drops the bytes without copying them.
      const ssize_t got = recv(fd_, buffer_.data(), n, MSG_TRUNC);
      if (got <= 0) return false;
      n -= static_cast<std::size_t>(got);
    }
    return true;
  }
  template <class T>
  T number() {
    const char* p = take(sizeof(T));
    if (p == nullptr) {
      failed_ = true;
      return T{};
    }
    return get<T>(p);
  }
  std::string string() {
    const auto size = number<std::int16_t>();
    if (size <= 0) return {};
    const char* p = take(static_cast<std::size_t>(size));
    if (p == nullptr) {
      failed_ = true;
      return {};
    }
    return {p, static_cast<std::size_t>(size)};
  }
  void start_frame(std::int64_t bytes) { left_ = bytes; }
  std::int64_t left() const { return left_; }
  bool failed() const { return failed_; }

 private:
  int fd_;
  std::vector<char> buffer_;
  std::size_t at_ = 0, end_ = 0;
  std::int64_t left_ = 0;
  bool failed_ = false;
};

class Output {
 public:
  void start(std::int32_t correlation) {
    bytes_.resize(4);
    add(correlation);
  }
  template <class T>
  void add(T value) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof value);
    put(bytes_.data() + at, value);
  }
  void add(const std::string& text) {
    add(static_cast<std::int16_t>(text.size()));
    bytes_.insert(bytes_.end(), text.begin(), text.end());
  }
  std::size_t size() const { return bytes_.size(); }
  std::vector<char>& bytes() { return bytes_; }

 private:
  std::vector<char> bytes_;
};

struct Request {
  std::int16_t key = 0, version = 0;
  std::int32_t correlation = 0;
};

// ---- Batches made in advance ----

std::string make_gzip(const std::string& plain, int level) {
  z_stream stream{};
  if (deflateInit2(&stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    die("deflateInit2");
  }
  std::string out(deflateBound(&stream, static_cast<uLong>(plain.size())) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) die("deflate");
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string make_batch() {
  const Payloads payloads(settings.size);
  std::string records(static_cast<std::size_t>(settings.batch_records) * (settings.size + 32),
                      '\0');
  char* at = records.data();
  for (std::int32_t i = 0; i < settings.batch_records; ++i) {
    at = put_record(at, i, 0, payloads[static_cast<std::uint64_t>(i)].data(), settings.size);
  }
  records.resize(static_cast<std::size_t>(at - records.data()));
  if (settings.gzip >= 0) records = make_gzip(records, settings.gzip);
  std::string batch(kBatchHeader, '\0');
  batch += records;
  close_batch(batch.data(), batch.data() + batch.size(), settings.batch_records,
              std::int64_t{1'790'000'000'000}, settings.gzip >= 0 ? 1 : 0, Crc32c());
  return batch;
}

std::string one_batch;

// ---- One connection ----

class Connection {
 public:
  explicit Connection(int fd) : fd_(fd), in_(fd) {}
  ~Connection() { close(fd_); }
  void serve();

 private:
  bool answer(const Request& request);
  bool api_versions(const Request& request);
  bool metadata(const Request& request);
  bool produce(const Request& request);
  bool produce_batches(std::int32_t partition, std::int32_t bytes);
  void verify_batch(std::int32_t partition, const char* head, std::size_t size);
  bool fetch(const Request& request);
  bool list_offsets(const Request& request);
  bool find_coordinator(const Request& request);
  bool init_producer_id(const Request& request);
  bool send(const char* blob = nullptr, std::size_t blob_size = 0);

  int fd_;
  Input in_;
  Output out_;
  std::string blob_;  // many copies of one_batch; base offsets are patched before each use
  std::vector<char> body_;
  std::map<std::pair<std::int64_t, std::int32_t>, std::int32_t> sequences_;
  Crc32c crc32c_;
  std::size_t turn_ = 0;
};

bool Connection::send(const char* blob, std::size_t blob_size) {
  std::vector<char>& head = out_.bytes();
  put(head.data(), static_cast<std::int32_t>(head.size() - 4 + blob_size));
  iovec pieces[2] = {{head.data(), head.size()}, {const_cast<char*>(blob), blob_size}};
  std::size_t first = 0;
  const std::size_t count = blob_size > 0 ? 2 : 1;
  while (first < count) {
    ssize_t n = writev(fd_, pieces + first, static_cast<int>(count - first));
    if (n < 0) return false;
    while (first < count && static_cast<std::size_t>(n) >= pieces[first].iov_len) {
      n -= static_cast<ssize_t>(pieces[first++].iov_len);
    }
    if (first < count) {
      pieces[first].iov_base = static_cast<char*>(pieces[first].iov_base) + n;
      pieces[first].iov_len -= static_cast<std::size_t>(n);
    }
  }
  return true;
}

void Connection::serve() {
  for (;;) {
    const auto size = in_.number<std::int32_t>();
    if (in_.failed() || size < 10) return;
    in_.start_frame(size);
    Request request;
    request.key = in_.number<std::int16_t>();
    request.version = in_.number<std::int16_t>();
    request.correlation = in_.number<std::int32_t>();
    in_.string();  // client id
    out_.start(request.correlation);
    if (!answer(request) || in_.failed()) return;
  }
}

bool Connection::answer(const Request& request) {
  switch (request.key) {
    case 0:
      return produce(request);
    case 1:
      return fetch(request);
    case 2:
      return list_offsets(request);
    case 3:
      return metadata(request);
    case 10:
      return find_coordinator(request);
    case 18:
      return api_versions(request);
    case 22:
      return init_producer_id(request);
    default:
      std::fprintf(stderr, "api key %d is not served\n", request.key);
      return false;
  }
}

bool Connection::api_versions(const Request& request) {
  static constexpr std::int16_t kOffered[][3] = {{0, 0, 7},  {1, 0, 4},  {2, 0, 2}, {3, 1, 4},
                                                 {10, 0, 1}, {18, 0, 2}, {22, 0, 1}};
  if (!in_.skip(static_cast<std::size_t>(in_.left()))) return false;
  const bool known = request.version <= 2;
  out_.add(static_cast<std::int16_t>(known ? 0 : 35));
  out_.add(static_cast<std::int32_t>(known ? std::size(kOffered) : 1));
  for (const auto& api : kOffered) {
    if (!known && api[0] != 18) continue;
    for (const std::int16_t part : api) out_.add(part);
  }
  if (known && request.version >= 1) out_.add(std::int32_t{0});
  return send();
}

bool Connection::metadata(const Request& request) {
  const auto count = in_.number<std::int32_t>();
  std::vector<std::string> topics;
  for (std::int32_t i = 0; i < count && !in_.failed(); ++i) topics.push_back(in_.string());
  if (!in_.skip(static_cast<std::size_t>(in_.left()))) return false;
  if (request.version >= 3) out_.add(std::int32_t{0});
  out_.add(std::int32_t{1});
  out_.add(std::int32_t{1});  // node id
  out_.add(std::string("127.0.0.1"));
  out_.add(static_cast<std::int32_t>(settings.port));
  out_.add(std::int16_t{-1});
  if (request.version >= 2) out_.add(std::string("null-broker-cluster-id"));
  out_.add(std::int32_t{1});
  out_.add(static_cast<std::int32_t>(topics.size()));
  for (const std::string& topic : topics) {
    out_.add(std::int16_t{0});
    out_.add(topic);
    out_.add(std::int8_t{0});
    out_.add(settings.partitions);
    for (std::int32_t i = 0; i < settings.partitions; ++i) {
      out_.add(std::int16_t{0});
      out_.add(i);
      out_.add(std::int32_t{1});
      for (int list = 0; list < 2; ++list) {  // replicas, in sync
        out_.add(std::int32_t{1});
        out_.add(std::int32_t{1});
      }
    }
  }
  return send();
}

bool Connection::produce(const Request& request) {
  produce_requests.fetch_add(1, std::memory_order_relaxed);
  if (request.version < 3 || request.version > 7) return false;
  in_.string();  // transactional id
  const auto acks = in_.number<std::int16_t>();
  in_.number<std::int32_t>();  // timeout
  const auto topics = in_.number<std::int32_t>();
  out_.add(topics);
  for (std::int32_t t = 0; t < topics && !in_.failed(); ++t) {
    out_.add(in_.string());
    const auto partitions = in_.number<std::int32_t>();
    out_.add(partitions);
    for (std::int32_t p = 0; p < partitions && !in_.failed(); ++p) {
      const auto index = in_.number<std::int32_t>();
      const auto bytes = in_.number<std::int32_t>();
      const bool known = index >= 0 && index < settings.partitions;
      out_.add(index);
      out_.add(static_cast<std::int16_t>(known ? 0 : 3));
      out_.add(known ? log_ends[static_cast<std::size_t>(index)].load() : std::int64_t{-1});
      out_.add(std::int64_t{-1});
      if (request.version >= 5) out_.add(std::int64_t{0});
      if (!known ? !in_.skip(static_cast<std::size_t>(std::max(bytes, 0)))
                 : !produce_batches(index, bytes)) {
        return false;
      }
    }
  }
  out_.add(std::int32_t{0});
  return acks == 0 || send();
}

bool Connection::produce_batches(std::int32_t partition, std::int32_t bytes) {
  while (bytes >= static_cast<std::int32_t>(kBatchHeader)) {
    const char* head = in_.take(kBatchHeader);
    if (head == nullptr) return false;
    const std::int32_t size = get<std::int32_t>(head + 8) + 12;
    const auto count = get<std::int32_t>(head + kBatchCountAt);
    if (size < static_cast<std::int32_t>(kBatchHeader) || size > bytes || head[16] != 2) {
      std::fprintf(stderr, "partition %d: not a batch of format 2\n", partition);
      faults.fetch_add(1);
      return false;
    }
    log_ends[static_cast<std::size_t>(partition)].fetch_add(count);
    produced_records.fetch_add(count, std::memory_order_relaxed);
    produced_bytes.fetch_add(size, std::memory_order_relaxed);
    produced_batches.fetch_add(1, std::memory_order_relaxed);
    const std::size_t rest = static_cast<std::size_t>(size) - kBatchHeader;
    if (settings.verify) {
      body_.resize(static_cast<std::size_t>(size));
      std::memcpy(body_.data(), head, kBatchHeader);
      if (!in_.copy(body_.data() + kBatchHeader, rest)) return false;
      verify_batch(partition, body_.data(), static_cast<std::size_t>(size));
    } else if (!in_.skip(rest)) {
      return false;
    }
    bytes -= size;
  }
  return bytes == 0;
}

void Connection::verify_batch(std::int32_t partition, const char* batch, std::size_t size) {
  const auto fault = [&](const char* what) {
    std::fprintf(stderr, "partition %d: %s\n", partition, what);
    faults.fetch_add(1);
  };
  if (crc32c_(batch + kBatchCrcFrom, size - kBatchCrcFrom) !=
      get<std::uint32_t>(batch + kBatchCrcAt)) {
    return fault("bad CRC");
  }
  const auto count = get<std::int32_t>(batch + kBatchCountAt);
  const auto producer = get<std::int64_t>(batch + 43);
  if (producer >= 0) {
    std::int32_t& expected = sequences_[{producer, partition}];
    if (get<std::int32_t>(batch + 53) != expected) fault("sequence out of order");
    expected += count;
  }
  if (get<std::int32_t>(batch + 23) != count - 1) fault("last offset does not fit the count");
  if ((get<std::int16_t>(batch + 21) & 7) != 0) return;
  const char* p = batch + kBatchHeader;
  const char* const end = batch + size;
  for (std::int32_t i = 0; i < count; ++i) {
    std::int64_t body = 0, skip = 0, offset = 0;
    if (p >= end) return fault("fewer records than counted");
    p = get_varint(p, body);
    if (body < 6 || body > end - p) return fault("record longer than its batch");
    const char* const next = p + body;
    p = get_varint(get_varint(p + 1, skip), offset);
    if (offset != i) return fault("offset delta out of order");
    p = get_varint(p, skip);
    if (skip > 0) p += skip;
    p = get_varint(p, skip);
    if (skip != static_cast<std::int64_t>(settings.size)) return fault("value of another size");
    p = next;
  }
  if (p != end) fault("bytes after the last record");
}

// Serves one partition of those asked for, in turn; the others get an empty answer.
bool Connection::fetch(const Request& request) {
  fetch_requests.fetch_add(1, std::memory_order_relaxed);
  if (request.version != 4) return false;
  in_.number<std::int32_t>();  // replica
  const auto max_wait_ms = in_.number<std::int32_t>();
  in_.number<std::int32_t>();  // min bytes
  const auto max_bytes = in_.number<std::int32_t>();
  in_.number<std::int8_t>();
  struct Wanted {
    std::int32_t index;
    std::int64_t offset;
    std::int32_t max_bytes;
  };
  std::vector<std::pair<std::string, std::vector<Wanted>>> topics;
  std::vector<Wanted*> ready;
  const auto topic_count = in_.number<std::int32_t>();
  for (std::int32_t t = 0; t < topic_count && !in_.failed(); ++t) {
    topics.emplace_back(in_.string(), std::vector<Wanted>{});
    const auto count = in_.number<std::int32_t>();
    for (std::int32_t p = 0; p < count && !in_.failed(); ++p) {
      const auto index = in_.number<std::int32_t>();
      const auto offset = in_.number<std::int64_t>();
      topics.back().second.push_back({index, offset, in_.number<std::int32_t>()});
    }
  }
  if (in_.failed()) return false;
  const std::int64_t end = settings.limit > 0 ? settings.limit : std::int64_t{1} << 50;
  for (auto& topic : topics) {
    for (Wanted& wanted : topic.second) {
      if (wanted.offset < end) ready.push_back(&wanted);
    }
  }
  const Wanted* const chosen = ready.empty() ? nullptr : ready[turn_++ % ready.size()];
  if (chosen == nullptr) poll(nullptr, 0, max_wait_ms);

  std::size_t blob_size = 0;
  if (chosen != nullptr) {
    const auto room = static_cast<std::size_t>(std::max(0, std::min(max_bytes, chosen->max_bytes)));
    const std::int64_t first = chosen->offset / settings.batch_records;
    const std::int64_t last = (end + settings.batch_records - 1) / settings.batch_records;
    const auto batches = std::min<std::size_t>(std::max<std::size_t>(1, room / one_batch.size()),
                                               static_cast<std::size_t>(last - first));
    blob_size = batches * one_batch.size();
    while (blob_.size() < blob_size) blob_ += one_batch;
    for (std::size_t i = 0; i < batches; ++i) {
      put(blob_.data() + i * one_batch.size(),
          (first + static_cast<std::int64_t>(i)) * settings.batch_records);
    }
  }
  // The chosen partition goes last, so that its records need not be copied into the middle.
  out_.add(std::int32_t{0});
  out_.add(static_cast<std::int32_t>(topics.size()));
  const auto add = [&](const Wanted& wanted) {
    out_.add(wanted.index);
    out_.add(std::int16_t{0});
    out_.add(end);
    out_.add(end);
    out_.add(std::int32_t{-1});
    out_.add(static_cast<std::int32_t>(&wanted == chosen ? blob_size : 0));
  };
  const auto holds = [&](const std::vector<Wanted>& list) {
    return chosen != nullptr && chosen >= list.data() && chosen < list.data() + list.size();
  };
  std::partition(topics.begin(), topics.end(),
                 [&](const auto& topic) { return !holds(topic.second); });
  for (const auto& topic : topics) {
    out_.add(topic.first);
    out_.add(static_cast<std::int32_t>(topic.second.size()));
    for (const Wanted& wanted : topic.second) {
      if (&wanted != chosen) add(wanted);
    }
    if (holds(topic.second)) add(*chosen);
  }
  return send(blob_.data(), blob_size);
}

bool Connection::list_offsets(const Request& request) {
  if (request.version < 1) return false;
  in_.number<std::int32_t>();
  if (request.version >= 2) in_.number<std::int8_t>();
  if (request.version >= 2) out_.add(std::int32_t{0});
  const auto topics = in_.number<std::int32_t>();
  out_.add(topics);
  for (std::int32_t t = 0; t < topics && !in_.failed(); ++t) {
    out_.add(in_.string());
    const auto partitions = in_.number<std::int32_t>();
    out_.add(partitions);
    for (std::int32_t p = 0; p < partitions && !in_.failed(); ++p) {
      out_.add(in_.number<std::int32_t>());
      const auto timestamp = in_.number<std::int64_t>();
      out_.add(std::int16_t{0});
      out_.add(std::int64_t{-1});
      out_.add(timestamp == -1 ? settings.limit : std::int64_t{0});
    }
  }
  return send();
}

bool Connection::find_coordinator(const Request& request) {
  if (!in_.skip(static_cast<std::size_t>(in_.left()))) return false;
  if (request.version >= 1) out_.add(std::int32_t{0});
  out_.add(std::int16_t{0});
  if (request.version >= 1) out_.add(std::int16_t{-1});
  out_.add(std::int32_t{1});
  out_.add(std::string("127.0.0.1"));
  out_.add(static_cast<std::int32_t>(settings.port));
  return send();
}

bool Connection::init_producer_id(const Request&) {
  if (!in_.skip(static_cast<std::size_t>(in_.left()))) return false;
  out_.add(std::int32_t{0});
  out_.add(std::int16_t{0});
  out_.add(next_producer_id.fetch_add(1));
  out_.add(std::int16_t{0});
  return send();
}

void print_totals() {
  const Clock used = Clock::read();
  std::printf(
      "{\"produced_records\":%lld,\"produced_bytes\":%lld,\"produced_batches\":%lld,"
      "\"produce_requests\":%lld,\"fetch_requests\":%lld,\"faults\":%lld,\"cpu_s\":%.3f}\n",
      static_cast<long long>(produced_records), static_cast<long long>(produced_bytes),
      static_cast<long long>(produced_batches), static_cast<long long>(produce_requests),
      static_cast<long long>(fetch_requests), static_cast<long long>(faults),
      used.user_s + used.sys_s);
  std::fflush(stdout);
}

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  using namespace tern::bench;
  Options options(argc, argv);
  settings.port = static_cast<std::uint16_t>(options.number("--port", 0));
  settings.partitions = static_cast<std::int32_t>(options.number("--partitions", 1));
  settings.size = static_cast<std::size_t>(options.number("--size", 100));
  settings.batch_records = static_cast<std::int32_t>(options.number("--batch-records", 1000));
  settings.limit = options.number("--limit", 0);
  settings.gzip = static_cast<int>(options.number("--gzip", -1));
  settings.verify = options.number("--verify", 0) != 0;
  options.done();
  if (settings.partitions < 1 || settings.size < 1 || settings.batch_records < 1) {
    std::fprintf(stderr, "--partitions, --size and --batch-records must be at least 1\n");
    return 2;
  }
  one_batch = make_batch();
  log_ends = std::vector<std::atomic<std::int64_t>>(static_cast<std::size_t>(settings.partitions));
  serve_until_stopped(settings.port, [](int fd) { std::make_unique<Connection>(fd)->serve(); });
  print_totals();
  _exit(faults.load() == 0 ? 0 : 1);
}

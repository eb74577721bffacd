#include "bench/null_network.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "bench/measure.h"
#include "bench/wire.h"
#include "protocol/kafka/gzip.h"
#include "protocol/kafka/records.h"

namespace tern::bench {
namespace {

[[noreturn]] void fail(const char* why) {
  std::fprintf(stderr, "null network: %s\n", why);
  std::exit(1);
}

std::string make_batch(const NullNetwork::Settings& settings) {
  const Payloads payloads(settings.size);
  kafka::BatchBuilder::Options options;
  if (settings.gzip >= 0) options.codec = kafka::gzip(settings.gzip);
  kafka::BatchBuilder builder(options);
  for (std::int32_t i = 0; i < settings.batch_records; ++i) {
    kafka::Record record;
    record.value = wire::Bytes(payloads[static_cast<std::uint64_t>(i)]);
    record.timestamp_ms = std::int64_t{1'790'000'000'000};
    builder.add(record);
  }
  const auto batch = builder.finish();
  if (!batch) fail("no batch");
  return {reinterpret_cast<const char*>(batch->data()), batch->size()};
}

// As memcpy(), which above some size has the processor repeat one instruction for every byte, and
// callgrind count each of them.
void copy_in_pieces(std::byte* to, const char* from, std::size_t n) {
  constexpr std::size_t kPiece = 1024;
  for (; n > kPiece; to += kPiece, from += kPiece, n -= kPiece) std::memcpy(to, from, kPiece);
  std::memcpy(to, from, n);
}

// Reads big-endian fields of a request that is whole.
class Fields {
 public:
  Fields(const char* at, std::size_t size) : at_(at), left_(size) {}
  template <class T>
  T number() {
    need(sizeof(T));
    at_ += sizeof(T);
    return get<T>(at_ - sizeof(T));
  }
  std::string_view string() {
    const auto size = number<std::int16_t>();
    if (size <= 0) return {};
    need(static_cast<std::size_t>(size));
    at_ += size;
    return {at_ - size, static_cast<std::size_t>(size)};
  }

 private:
  void need(std::size_t n) {
    if (n > left_) fail("a request is too short");
    left_ -= n;
  }
  const char* at_;
  std::size_t left_;
};

}  // namespace

// One connection, seen from the broker. Requests come in pieces; each step asks for so many bytes,
// or skips some, and names the step that follows.
class NullNetwork::Peer {
 public:
  Peer(NullNetwork& network, Link& client, LinkId name)
      : link(client), id(name), network_(network) {
    want(kFrameHead, &Peer::frame_head);
    body_.reserve(1 << 16);
    out_.reserve(1 << 16);
  }

  void take(const char* p, std::size_t n);
  // True if the client has read something.
  bool deliver(Now now);

  Link& link;
  const LinkId id;
  bool opened = false, closing = false, paused = false, wants_write = false;

 private:
  static constexpr std::size_t kFrameHead = 14;  // up to the length of the client id
  using Step = void (Peer::*)();
  struct Part {
    std::size_t end;          // of the bytes in out_
    std::size_t blob = 0;     // bytes of batches behind them
    std::int64_t offset = 0;  // of the first of their records
  };

  void want(std::size_t n, Step next) {
    wanted_ = n;
    next_ = next;
    body_.clear();
  }
  void frame_head();
  void body();
  void produce_head();
  void topic_head();
  void topic_name();
  void partition_head();
  void batch_head();
  void next_partition();

  void answer_versions();
  void answer_metadata();
  void answer_fetch();
  void answer_offsets();
  void answer_producer_id();

  template <class T>
  void add(T value) {
    const std::size_t at = out_.size();
    out_.resize(at + sizeof value);
    put(out_.data() + at, value);
  }
  void add_text(std::string_view text) {
    add(static_cast<std::int16_t>(text.size()));
    out_.insert(out_.end(), text.begin(), text.end());
  }
  void start_answer() {
    frame_at_ = out_.size();
    add(std::int32_t{0});
    add(correlation_);
  }
  void end_answer(std::size_t blob = 0, std::int64_t offset = 0) {
    put(out_.data() + frame_at_, static_cast<std::int32_t>(out_.size() - frame_at_ - 4 + blob));
    parts_.push_back({out_.size(), blob, offset});
  }
  bool copy_out(const char* from, std::size_t size, Now now);

  NullNetwork& network_;
  Step next_ = nullptr;
  std::size_t wanted_ = 0, skip_ = 0;
  std::vector<char> body_;  // what was wanted
  std::size_t frame_left_ = 0;
  std::int16_t api_ = 0, version_ = 0;
  std::int32_t correlation_ = 0;
  std::int32_t topics_left_ = 0, partitions_left_ = 0, partition_ = 0;
  std::size_t records_left_ = 0;

  std::vector<char> out_;
  std::vector<Part> parts_;
  std::size_t frame_at_ = 0;
};

void NullNetwork::Peer::take(const char* p, std::size_t n) {
  for (;;) {
    const std::size_t over = std::min(skip_, n);
    skip_ -= over;
    p += over;
    n -= over;
    const std::size_t more = std::min(wanted_ - body_.size(), n);
    body_.insert(body_.end(), p, p + more);
    p += more;
    n -= more;
    if (skip_ > 0 || body_.size() < wanted_) return;
    (this->*next_)();
  }
}

void NullNetwork::Peer::frame_head() {
  Fields in(body_.data(), body_.size());
  const auto size = in.number<std::int32_t>();
  api_ = in.number<std::int16_t>();
  version_ = in.number<std::int16_t>();
  correlation_ = in.number<std::int32_t>();
  const auto client_id =
      static_cast<std::size_t>(std::max<std::int16_t>(0, in.number<std::int16_t>()));
  frame_left_ = static_cast<std::size_t>(size) - (kFrameHead - 4) - client_id;
  skip_ = client_id;
  if (api_ == 0) {
    start_answer();
    want(12, &Peer::produce_head);
  } else {
    want(frame_left_, &Peer::body);
  }
}

void NullNetwork::Peer::body() {
  start_answer();
  switch (api_) {
    case 1:
      answer_fetch();
      break;
    case 2:
      answer_offsets();
      break;
    case 3:
      answer_metadata();
      break;
    case 18:
      answer_versions();
      break;
    case 22:
      answer_producer_id();
      break;
    default:
      fail("a request of an api that is not offered");
  }
  want(kFrameHead, &Peer::frame_head);
}

void NullNetwork::Peer::produce_head() {
  Fields in(body_.data(), body_.size());
  in.number<std::int16_t>();  // a null transactional id
  in.number<std::int16_t>();  // acks
  in.number<std::int32_t>();  // timeout
  topics_left_ = in.number<std::int32_t>();
  add(topics_left_);
  want(2, &Peer::topic_head);
}

void NullNetwork::Peer::topic_head() {
  const auto size = get<std::int16_t>(body_.data());
  add(size);
  want(static_cast<std::size_t>(size) + 4, &Peer::topic_name);
}

void NullNetwork::Peer::topic_name() {
  out_.insert(out_.end(), body_.begin(), body_.end());  // the number of partitions as well
  partitions_left_ = get<std::int32_t>(body_.data() + body_.size() - 4);
  want(8, &Peer::partition_head);
}

void NullNetwork::Peer::partition_head() {
  Fields in(body_.data(), body_.size());
  partition_ = in.number<std::int32_t>();
  records_left_ = static_cast<std::size_t>(in.number<std::int32_t>());
  want(kBatchHeader, &Peer::batch_head);
}

void NullNetwork::Peer::batch_head() {
  const auto count = get<std::int32_t>(body_.data() + kBatchCountAt);
  const auto size = static_cast<std::size_t>(get<std::int32_t>(body_.data() + 8)) + 12;
  if (size != records_left_ || body_[16] != 2) fail("not one batch of format 2");
  network_.produced_records_ += count;
  skip_ = size - kBatchHeader;
  next_partition();
}

void NullNetwork::Peer::next_partition() {
  add(partition_);
  add(std::int16_t{0});
  add(network_.produced_records_);  // a base offset; nobody looks whether it fits
  add(std::int64_t{-1});
  if (version_ >= 5) add(std::int64_t{0});
  if (--partitions_left_ > 0) return want(8, &Peer::partition_head);
  if (--topics_left_ > 0) return want(2, &Peer::topic_head);
  add(std::int32_t{0});
  end_answer();
  want(kFrameHead, &Peer::frame_head);
}

void NullNetwork::Peer::answer_versions() {
  static constexpr std::int16_t kOffered[][3] = {{0, 3, 7}, {1, 4, 4},  {2, 1, 2},
                                                 {3, 1, 4}, {18, 0, 2}, {22, 0, 1}};
  const bool known = version_ <= 2;
  add(static_cast<std::int16_t>(known ? 0 : 35));
  add(static_cast<std::int32_t>(known ? std::size(kOffered) : 1));
  for (const auto& api : kOffered) {
    if (!known && api[0] != 18) continue;
    for (const std::int16_t part : api) add(part);
  }
  if (known && version_ >= 1) add(std::int32_t{0});
  end_answer();
}

void NullNetwork::Peer::answer_metadata() {
  Fields in(body_.data(), body_.size());
  const auto count = in.number<std::int32_t>();
  if (version_ >= 3) add(std::int32_t{0});
  add(std::int32_t{1});
  add(std::int32_t{1});  // node id
  add_text("null");
  add(std::int32_t{1});
  add(std::int16_t{-1});
  if (version_ >= 2) add_text("null-network-cluster");
  add(std::int32_t{1});
  add(std::max(count, 0));
  for (std::int32_t i = 0; i < count; ++i) {
    add(std::int16_t{0});
    add_text(in.string());
    add(std::int8_t{0});
    add(network_.settings_.partitions);
    for (std::int32_t p = 0; p < network_.settings_.partitions; ++p) {
      add(std::int16_t{0});
      add(p);
      for (int list = 0; list < 5; ++list) add(std::int32_t{1});  // leader, replicas, in sync
    }
  }
  end_answer();
}

void NullNetwork::Peer::answer_fetch() {
  Fields in(body_.data(), body_.size());
  in.number<std::int32_t>();  // replica
  in.number<std::int32_t>();  // longest wait
  in.number<std::int32_t>();  // least bytes
  const auto most_of_all = in.number<std::int32_t>();
  in.number<std::int8_t>();
  if (in.number<std::int32_t>() != 1) fail("a Fetch is for one topic here");
  const std::string_view topic = in.string();
  if (in.number<std::int32_t>() != 1) fail("a Fetch is for one partition here");
  const auto partition = in.number<std::int32_t>();
  const auto offset = in.number<std::int64_t>();
  const auto most = static_cast<std::size_t>(std::min(most_of_all, in.number<std::int32_t>()));
  const std::size_t batch = network_.one_batch_.size();
  const std::size_t bytes =
      std::max<std::size_t>(1, std::min(most, network_.blob_.size()) / batch) * batch;
  constexpr std::int64_t kEnd = std::int64_t{1} << 50;
  add(std::int32_t{0});
  add(std::int32_t{1});
  add_text(topic);
  add(std::int32_t{1});
  add(partition);
  add(std::int16_t{0});
  add(kEnd);
  add(kEnd);
  add(std::int32_t{-1});
  add(static_cast<std::int32_t>(bytes));
  end_answer(bytes, offset);
}

void NullNetwork::Peer::answer_offsets() {
  Fields in(body_.data(), body_.size());
  in.number<std::int32_t>();
  if (version_ >= 2) in.number<std::int8_t>();
  if (in.number<std::int32_t>() != 1) fail("offsets are listed for one topic here");
  if (version_ >= 2) add(std::int32_t{0});
  add(std::int32_t{1});
  add_text(in.string());
  const auto partitions = in.number<std::int32_t>();
  add(partitions);
  for (std::int32_t p = 0; p < partitions; ++p) {
    add(in.number<std::int32_t>());
    in.number<std::int64_t>();
    add(std::int16_t{0});
    add(std::int64_t{-1});
    add(std::int64_t{0});
  }
  end_answer();
}

void NullNetwork::Peer::answer_producer_id() {
  add(std::int32_t{0});
  add(std::int16_t{0});
  add(std::int64_t{1000});
  add(std::int16_t{0});
  end_answer();
}

bool NullNetwork::Peer::copy_out(const char* from, std::size_t size, Now now) {
  while (size > 0) {
    if (closing) return false;
    const auto space = link.read_space();
    const std::size_t n = std::min(size, space.size());
    ++network_.calls_;
    copy_in_pieces(space.data(), from, n);
    link.on_read(n, now);
    from += n;
    size -= n;
  }
  return true;
}

bool NullNetwork::Peer::deliver(Now now) {
  if (parts_.empty() || paused || network_.held_) return false;
  std::size_t at = 0;
  for (const Part& part : parts_) {
    const std::size_t batch = network_.one_batch_.size();
    for (std::size_t i = 0; i * batch < part.blob; ++i) {
      put(network_.blob_.data() + i * batch,
          part.offset + static_cast<std::int64_t>(i) * network_.settings_.batch_records);
    }
    if (!copy_out(out_.data() + at, part.end - at, now)) break;
    if (!copy_out(network_.blob_.data(), part.blob, now)) break;
    at = part.end;
  }
  out_.clear();
  parts_.clear();
  return true;
}

NullNetwork::NullNetwork(const Settings& settings)
    : settings_(settings), one_batch_(make_batch(settings)) {
  do {
    blob_ += one_batch_;
  } while (blob_.size() + one_batch_.size() <= settings.fetch_bytes);
}

NullNetwork::~NullNetwork() = default;

LinkId NullNetwork::open(const Endpoint&, Link& link) {
  const LinkId id{static_cast<std::uint32_t>(peers_.size()), ++generation_};
  peers_.push_back(std::make_unique<Peer>(*this, link, id));
  return id;
}

NullNetwork::Peer* NullNetwork::find(LinkId id) {
  if (id.index >= peers_.size() || !peers_[id.index]) return nullptr;
  return peers_[id.index]->id == id ? peers_[id.index].get() : nullptr;
}

void NullNetwork::close(LinkId id) {
  if (Peer* peer = find(id)) peer->closing = true;
}

ListenerId NullNetwork::listen(const Endpoint&, Acceptor&, std::error_code& error, Endpoint*) {
  error = std::make_error_code(std::errc::operation_not_supported);
  return {};
}

void NullNetwork::want_write(LinkId id) {
  if (Peer* peer = find(id)) peer->wants_write = true;
}

void NullNetwork::pause_read(LinkId id, bool paused) {
  if (Peer* peer = find(id)) peer->paused = paused;
}

// Gives each link what is due for it, then the engine a step if anything was.
bool NullNetwork::turn() {
  bool busy = std::exchange(woken_, false);
  const Now time = now();
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    Peer* const peer = peers_[i].get();
    if (peer == nullptr) continue;
    if (peer->closing) {
      peer->link.on_closed(Stage::protocol, std::make_error_code(std::errc::operation_canceled),
                           time);
      peers_[i].reset();
      busy = true;
      continue;
    }
    if (!std::exchange(peer->opened, true)) {
      peer->link.on_open(time);
      busy = true;
    }
    while (peer->wants_write && !peer->closing) {
      gathered_.clear();
      peer->link.gather(gathered_);
      if (gathered_.bytes() == 0) {
        peer->wants_write = false;
        break;
      }
      ++calls_;
      for (const BufferList::Piece& piece : gathered_.pieces()) {
        peer->take(static_cast<const char*>(piece.data), piece.size);
      }
      peer->link.on_written(gathered_.bytes(), time);
      busy = true;
    }
    busy |= peer->deliver(time);
  }
  if (!busy) return false;
  machine_->step(time);
  machine_->run_completions();
  return true;
}

void NullNetwork::stuck() { fail("nothing is left to do, and it is not done"); }

}  // namespace tern::bench

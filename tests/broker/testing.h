// For the broker's own tests: a network of plain function calls, and a client of our codecs on it.
#ifndef TERN_TESTS_BROKER_TESTING_H_
#define TERN_TESTS_BROKER_TESTING_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/core/ports.h"
#include "protocol/kafka/messages/all.h"
#include "protocol/kafka/records.h"
#include "protocol/wire/endian.h"
#include "tests/broker/broker.h"

namespace tern::broker {

using Bytes = std::vector<std::byte>;
using kafka::BrokerErrc;

// Links are pumped by hand: bytes go in and come out when the test says so, in pieces of `piece`.
class FakeNetwork final : public Network {
 public:
  struct Pipe {
    Link* link = nullptr;
    bool paused = false;
    bool close_asked = false;
    bool closed = false;
    bool want_write = false;
    Bytes to_broker;    // not yet taken
    Bytes from_broker;  // written by the broker, not yet looked at
  };

  explicit FakeNetwork(std::size_t piece = 1U << 20) : piece_(piece) {}

  // Null if nobody listens or the broker refuses.
  LinkId connect(const Endpoint& endpoint) {
    const auto at = std::find_if(listeners_.begin(), listeners_.end(),
                                 [&](const auto& one) { return one.second.first == endpoint; });
    if (at == listeners_.end()) return {};
    const LinkId id{next_index_++, 1};
    Link* link = at->second.second->on_accept(id, {"client", 1});
    if (!link) return {};
    pipes_[id].link = link;
    link->on_open(now_);
    return id;
  }
  Pipe& pipe(LinkId id) { return pipes_.at(id); }

  // The peer goes away.
  void hang_up(LinkId id) { end(pipes_.at(id), std::make_error_code(std::errc::connection_reset)); }

  // Moves everything that can be moved, stepping the machine after each burst, until all is quiet.
  void run(Machine& machine) {
    for (bool busy = true; busy;) {
      busy = false;
      for (auto& [id, pipe] : pipes_) busy = pump(pipe) || busy;
      machine.step(now_);
      if (machine.next_deadline() <= now_.mono) busy = true;
      for (const auto& [id, pipe] : pipes_) {
        const bool readable = !pipe.paused && !pipe.to_broker.empty();
        if (!pipe.closed && (pipe.want_write || pipe.close_asked || readable)) busy = true;
      }
    }
  }
  void advance(Machine& machine, Duration by) {
    now_.mono += by;
    now_.wall_ms += std::chrono::duration_cast<std::chrono::milliseconds>(by).count();
    run(machine);
  }

  LinkId open(const Endpoint&, Link&) override { return {}; }
  void close(LinkId id) override {
    const auto found = pipes_.find(id);
    if (found != pipes_.end()) found->second.close_asked = true;
  }
  ListenerId listen(const Endpoint& endpoint, Acceptor& acceptor, std::error_code&,
                    Endpoint* bound) override {
    Endpoint real = endpoint;
    if (real.port == 0) real.port = next_port_++;
    if (bound) *bound = real;
    const ListenerId id{next_index_++, 1};
    listeners_[id] = {real, &acceptor};
    return id;
  }
  void close_listener(ListenerId id) override { listeners_.erase(id); }
  void want_write(LinkId id) override { pipes_.at(id).want_write = true; }
  void pause_read(LinkId id, bool paused) override { pipes_.at(id).paused = paused; }
  void wake() override { ++wakes_; }
  bool on_executor() const override { return true; }
  Now now() const override { return now_; }
  std::int64_t wall_ms() const override { return now_.wall_ms; }

 private:
  void end(Pipe& pipe, std::error_code why) {
    if (std::exchange(pipe.closed, true)) return;
    pipe.link->on_closed(Stage::protocol, why, now_);
  }

  bool pump(Pipe& pipe) {
    if (pipe.closed) return false;
    if (pipe.close_asked) {
      end(pipe, std::make_error_code(std::errc::operation_canceled));
      return true;
    }
    bool moved = false;
    if (!pipe.paused && !pipe.to_broker.empty()) {
      const std::span<std::byte> space = pipe.link->read_space();
      EXPECT_FALSE(space.empty());
      const std::size_t n = std::min({piece_, space.size(), pipe.to_broker.size()});
      std::memcpy(space.data(), pipe.to_broker.data(), n);
      pipe.to_broker.erase(pipe.to_broker.begin(),
                           pipe.to_broker.begin() + static_cast<std::ptrdiff_t>(n));
      pipe.link->on_read(n, now_);
      moved = true;
    }
    if (!pipe.want_write || pipe.close_asked) return moved;
    BufferList list;
    pipe.link->gather(list);
    if (list.bytes() == 0) {
      pipe.want_write = false;
      return moved;
    }
    std::size_t left = std::min(piece_, list.bytes());
    const std::size_t written = left;
    for (const BufferList::Piece& one : list.pieces()) {
      const std::size_t n = std::min(left, one.size);
      const auto* data = static_cast<const std::byte*>(one.data);
      pipe.from_broker.insert(pipe.from_broker.end(), data, data + n);
      left -= n;
    }
    pipe.link->on_written(written, now_);
    return true;
  }

  const std::size_t piece_;
  Now now_{Time(std::chrono::seconds(1000)), 1'700'000'000'000};
  std::map<LinkId, Pipe> pipes_;
  std::map<ListenerId, std::pair<Endpoint, Acceptor*>> listeners_;
  std::uint32_t next_index_ = 1;
  std::uint16_t next_port_ = 20001;
  int wakes_ = 0;
};

// A decoded answer with what its views point into.
template <class M>
struct Reply {
  std::unique_ptr<Bytes> bytes = std::make_unique<Bytes>();
  std::unique_ptr<wire::Arena> arena = std::make_unique<wire::Arena>(std::size_t{1} << 30);
  M value;
  const M* operator->() const { return &value; }
};

template <class M>
Bytes request_bytes(const M& message, std::int16_t version, std::int32_t correlation_id,
                    wire::Text client_id = "test") {
  const auto size = kafka::encoded_size(message, version);
  EXPECT_TRUE(size) << M::api.name << " v" << version;
  if (!size) return {};
  const kafka::RequestHeader header{M::api.key, version, correlation_id, client_id};
  const std::size_t whole = kafka::request_header_size(header) + size->total;
  Bytes bytes(4 + whole);
  wire::Writer writer(bytes);
  writer.i32(static_cast<std::int32_t>(whole));
  kafka::encode_request_header(header, writer);
  kafka::encode(message, version, writer);
  return bytes;
}

// One connection of the test.
class Client {
 public:
  Client(FakeNetwork& network, Machine& machine, const Endpoint& endpoint)
      : network_(&network), machine_(&machine), id_(network.connect(endpoint)) {}

  bool connected() const { return static_cast<bool>(id_) && !network_->pipe(id_).closed; }
  LinkId id() const { return id_; }

  template <class M>
  void send(const M& message, std::int16_t version) {
    send_bytes(request_bytes(message, version, ++last_sent_));
  }
  void send_bytes(const Bytes& bytes) {
    Bytes& to = network_->pipe(id_).to_broker;
    to.insert(to.end(), bytes.begin(), bytes.end());
    network_->run(*machine_);
  }

  bool has_answer() { return frame_size() != 0; }
  const Bytes& unread() { return network_->pipe(id_).from_broker; }

  // The next answer, which has to be there and of this kind.
  template <class M>
  Reply<typename M::Response> receive(std::int16_t version) {
    Reply<typename M::Response> reply;
    const std::size_t size = frame_size();
    EXPECT_NE(size, 0U) << "no answer to " << M::api.name << " v" << version;
    if (size == 0) return reply;
    Bytes& from = network_->pipe(id_).from_broker;
    reply.bytes->assign(from.begin() + 4, from.begin() + static_cast<std::ptrdiff_t>(size));
    from.erase(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(size));
    wire::Reader reader{std::span<const std::byte>(*reply.bytes)};
    std::int32_t correlation_id = 0;
    EXPECT_TRUE(kafka::decode_response_header(reader, M::api.key, version, correlation_id));
    EXPECT_EQ(correlation_id, ++last_received_);
    bool decoded = false;
    if constexpr (std::is_same_v<M, kafka::ApiVersionsRequest>) {
      decoded = kafka::decode_api_versions_response(reader, version, *reply.arena, reply.value);
    } else {
      decoded = kafka::decode(reader, version, *reply.arena, reply.value);
    }
    EXPECT_TRUE(decoded && reader.expect_end())
        << M::api.name << " v" << version << ": " << (reader.ok() ? "" : reader.error().message());
    return reply;
  }

  template <class M>
  Reply<typename M::Response> call(const M& message, std::int16_t version) {
    send(message, version);
    return receive<M>(version);
  }
  void skip_answer() { ++last_received_; }

 private:
  std::size_t frame_size() {
    const Bytes& from = network_->pipe(id_).from_broker;
    if (from.size() < 4) return 0;
    const std::size_t size = 4 + wire::load_be<std::uint32_t>(from.data());
    return from.size() < size ? 0 : size;
  }

  FakeNetwork* network_;
  Machine* machine_;
  LinkId id_;
  std::int32_t last_sent_ = 0;
  std::int32_t last_received_ = 0;
};

// A cluster of some nodes, started, and a client for each that is asked for.
class Fixture {
 public:
  explicit Fixture(int nodes = 1, ClusterConfig config = {}, std::size_t piece = 1U << 20)
      : network(piece), kafka(network, nodes, std::move(config), "broker") {
    EXPECT_FALSE(kafka.start());
  }
  Client client(std::int32_t node = 1) {
    return Client(network, kafka, kafka.broker(node).endpoint());
  }
  KafkaCluster& cluster() { return kafka.cluster(); }
  void run() { network.run(kafka); }
  void advance(Duration by) { network.advance(kafka, by); }

  FakeNetwork network;
  EmbeddedKafka kafka;
};

struct BatchSpec {
  std::vector<std::string> values = {"a"};
  std::int64_t producer_id = -1;
  std::int16_t epoch = -1;
  std::int32_t sequence = -1;
  std::int64_t timestamp_ms = 1000;  // of the first record; one more for each that follows
  std::shared_ptr<const kafka::Codec> codec = nullptr;
  std::string key = {};  // empty: null
};

inline Bytes make_batch(const BatchSpec& spec) {
  kafka::BatchBuilder::Options options;
  options.producer_id = spec.producer_id;
  options.producer_epoch = spec.epoch;
  options.base_sequence = spec.sequence;
  options.codec = spec.codec;
  kafka::BatchBuilder builder(options);
  std::int64_t timestamp = spec.timestamp_ms;
  for (const std::string& value : spec.values) {
    kafka::Record record;
    if (!spec.key.empty()) record.key = spec.key;
    record.value = value;
    record.timestamp_ms = timestamp++;
    builder.add(record);
  }
  auto batch = builder.finish();
  EXPECT_TRUE(batch);
  return batch ? *std::move(batch) : Bytes();
}

// A Produce request for one partition.
struct Produce {
  kafka::ProduceRequest::PartitionProduceData partition;
  kafka::ProduceRequest::TopicProduceData topic;
  kafka::ProduceRequest request;

  Produce(std::string_view name, std::int32_t index, const Bytes& batch, std::int16_t acks = -1,
          wire::Uuid id = {}) {
    partition.index = index;
    partition.records = wire::Records(std::span<const std::byte>(batch));
    topic.name = name;
    topic.topic_id = id;
    topic.partition_data = {&partition, 1};
    request.acks = acks;
    request.timeout_ms = 1000;
    request.topic_data = {&topic, 1};
  }
  Produce(const Produce&) = delete;
};

inline kafka::ProduceResponse::PartitionProduceResponse produce(Client& client,
                                                                std::string_view topic,
                                                                std::int32_t partition,
                                                                const Bytes& batch,
                                                                std::int16_t version = 9) {
  const Produce produce(topic, partition, batch);
  const auto reply = client.call(produce.request, version);
  if (reply->responses.size() != 1 || reply->responses[0].partition_responses.size() != 1) {
    ADD_FAILURE() << "one partition expected";
    return {};
  }
  auto result = reply->responses[0].partition_responses[0];
  result.error_message = {};  // these point into the reply
  result.record_errors = {};
  return result;
}

// A Fetch request for some partitions of one topic.
struct Fetch {
  std::vector<kafka::FetchRequest::FetchPartition> partitions;
  kafka::FetchRequest::FetchTopic topic;
  kafka::FetchRequest request;

  explicit Fetch(std::string_view name, std::vector<std::int64_t> offsets = {0},
                 wire::Uuid id = {}) {
    for (const std::int64_t offset : offsets) {
      kafka::FetchRequest::FetchPartition partition;
      partition.partition = static_cast<std::int32_t>(partitions.size());
      partition.fetch_offset = offset;
      partition.partition_max_bytes = 1 << 20;
      partitions.push_back(partition);
    }
    topic.topic = name;
    topic.topic_id = id;
    topic.partitions = {partitions.data(), partitions.size()};
    request.topics = {&topic, 1};
    request.max_bytes = 50 << 20;
    request.min_bytes = 1;
  }
  Fetch(const Fetch&) = delete;
};

inline BrokerErrc err(std::int16_t code) { return static_cast<BrokerErrc>(code); }

// The values of all records in a records field, of complete batches.
inline std::vector<std::string> values_of(const wire::Records& records,
                                          const kafka::Codecs& codecs = {}) {
  std::vector<std::string> values;
  kafka::Decompressors decompressors(codecs);
  kafka::BatchIterator batches(records.span());
  kafka::BatchView batch;
  while (batches.next(batch)) {
    kafka::VectorFrameSink sink;
    kafka::RecordBlock block;
    kafka::RecordsError error;
    EXPECT_TRUE(kafka::open_batch(batch, decompressors, sink, 1U << 24, block, error))
        << error.message();
    for (const kafka::RecordView& record : block) values.push_back(record.value.str());
  }
  EXPECT_TRUE(batches.ok()) << batches.error().message();
  return values;
}

inline std::vector<std::string> log_values(const PartitionLog& log) {
  std::vector<std::string> values;
  EXPECT_TRUE(
      log.for_each_record([&](const LogRecord& record) { values.push_back(record.value.str()); }));
  return values;
}

using Strings = std::vector<std::string>;

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_TESTING_H_

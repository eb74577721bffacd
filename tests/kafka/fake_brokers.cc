#include "tests/kafka/fake_brokers.h"

#include <algorithm>
#include <cstring>

#include "protocol/kafka/api.h"
#include "protocol/kafka/codec.h"
#include "protocol/kafka/messages/api_versions.h"
#include "protocol/wire/endian.h"

namespace tern::kafka::fake {
namespace {

constexpr std::size_t kArena = 16 * 1024 * 1024;

std::int16_t code(BrokerErrc error) { return static_cast<std::int16_t>(error); }

template <class T>
wire::Array<T> to_array(wire::Arena& arena, const std::vector<T>& items) {
  T* copy = arena.make_array<T>(items.size());
  std::copy(items.begin(), items.end(), copy);
  return {copy, items.size()};
}

}  // namespace

void FakePartition::add(const std::vector<std::string>& values, BatchBuilder::Options options) {
  options.base_offset = end;
  options.partition_leader_epoch = leader_epoch;
  BatchBuilder builder(options);
  for (const std::string& value : values)
    builder.add({.value = wire::Bytes(value), .timestamp_ms = 1000});
  add_batch(*builder.finish(), end + static_cast<std::int64_t>(values.size()));
}

void FakePartition::add_batch(std::vector<std::byte> bytes, std::int64_t next_offset) {
  batches.push_back({next_offset, std::move(bytes)});
  end = next_offset;
}

// ---------------------------------------------------------------------------------- one broker

class FakeBroker final : public Machine, public Acceptor {
 public:
  class Session final : public Link {
   public:
    Session(FakeBroker& owner, LinkId at) : broker(owner), id(at) {}
    std::span<std::byte> read_space() override { return space; }
    void on_read(std::size_t n, Now) override {
      in.insert(in.end(), space.begin(), space.begin() + static_cast<std::ptrdiff_t>(n));
      serve();
    }
    void gather(BufferList& list) override { list.add(out.data(), out.size()); }
    void on_written(std::size_t n, Now) override {
      out.erase(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(n));
      if (out.empty() && !later.empty()) {
        out = std::move(later);
        later.clear();
        broker.net.want_write(id);
      }
    }
    void on_open(Now) override {}
    void on_closed(Stage, std::error_code, Now) override { closed = true; }

    void serve();
    void reply(std::int16_t key, std::int16_t version, std::int32_t correlation,
               std::vector<std::byte> body);

    FakeBroker& broker;
    const LinkId id;
    std::vector<std::byte> space = std::vector<std::byte>(64 * 1024);
    std::vector<std::byte> in, out, later;
    bool closed = false;
    std::vector<std::byte> waiting;  // a Fetch that is not answered yet, if any
  };
  struct FetchState {
    std::int32_t epoch = 0;
    std::map<PartitionName, FetchRequest::FetchPartition> wants;
  };

  FakeBroker(FakeBrokers& all, sim::Fabric& fabric, std::int32_t id)
      : owner(all), node(id), net(fabric, "b" + std::to_string(id)) {
    net.attach(*this);
    std::error_code error;
    net.listen({net.host(), 9092}, *this, error);
  }

  Link* on_accept(LinkId id, const Endpoint&) override {
    links.push_back(std::make_unique<Session>(*this, id));
    return links.back().get();
  }
  void step(Now) override {
    for (auto& link : links) {
      if (!link->closed && !link->waiting.empty()) link->serve();
    }
    links.remove_if([](const auto& link) { return link->closed; });
  }
  Time next_deadline() const override { return kNever; }
  void run_completions() override {}

  // The body of the answer; empty: wait.
  std::vector<std::byte> answer(const RequestHeader& header, wire::Reader& reader, bool again);
  std::vector<std::byte> answer_group(const RequestHeader& header, wire::Reader& reader,
                                      bool again);

  template <class M, class F>
  std::vector<std::byte> with(std::int16_t version, wire::Reader& reader, F&& f) {
    wire::Arena arena(kArena);
    M request;
    if (!decode(reader, version, arena, request)) std::abort();
    typename M::Response response;
    if (!f(request, response, arena)) return {};
    const auto size = encoded_size(response, version);
    std::vector<std::byte> body(size->total);
    wire::Writer writer(body);
    encode(response, version, writer);
    return body;
  }

  void versions(ApiVersionsResponse& response, wire::Arena& arena) const;
  void metadata(const MetadataRequest& request, MetadataResponse& response,
                wire::Arena& arena) const;
  void list_offsets(const ListOffsetsRequest& request, ListOffsetsResponse& response,
                    wire::Arena& arena) const;
  void epochs(const OffsetForLeaderEpochRequest& request, OffsetForLeaderEpochResponse& response,
              wire::Arena& arena) const;
  bool fetch(const FetchRequest& request, std::int16_t version, FetchResponse& response,
             wire::Arena& arena, bool again);
  SeenFetch see(const FetchRequest& request, std::int16_t version) const;
  void read(const SeenFetch& seen, const FetchState& state, FetchResponse& response,
            wire::Arena& arena) const;
  std::string name_of(const wire::Text& name, const wire::Uuid& id) const;

  FakeBrokers& owner;
  const std::int32_t node;
  sim::Network net;
  std::list<std::unique_ptr<Session>> links;
  std::map<std::int32_t, FetchState> fetch_sessions;
  std::int32_t next_session = 100;
};

void FakeBroker::Session::serve() {
  const bool again = !waiting.empty();
  if (again) {
    in.insert(in.begin(), waiting.begin(), waiting.end());
    waiting.clear();
  }
  bool first = again;
  while (in.size() >= 4) {
    const auto size = wire::load_be<std::uint32_t>(in.data());
    if (in.size() < 4 + std::size_t{size}) return;
    wire::Reader reader(std::span<const std::byte>(in).subspan(4, size));
    RequestHeader header;
    if (!decode_request_header(reader, header)) std::abort();
    std::vector<std::byte> body = broker.answer(header, reader, first);
    first = false;
    const auto end = in.begin() + static_cast<std::ptrdiff_t>(4 + std::size_t{size});
    if (body.empty()) {
      waiting.assign(in.begin(), end);
      in.erase(in.begin(), end);
      return;
    }
    reply(header.api_key, header.api_version, header.correlation_id, std::move(body));
    in.erase(in.begin(), end);
  }
}

void FakeBroker::Session::reply(std::int16_t key, std::int16_t version, std::int32_t correlation,
                                std::vector<std::byte> body) {
  const std::size_t head = response_header_size(key, version);
  std::vector<std::byte> frame(4 + head);
  wire::Writer writer(frame);
  writer.i32(static_cast<std::int32_t>(head + body.size()));
  encode_response_header(key, version, correlation, writer);
  frame.insert(frame.end(), body.begin(), body.end());
  // What was gathered must not move until it is written.
  std::vector<std::byte>& to = out.empty() ? out : later;
  to.insert(to.end(), frame.begin(), frame.end());
  broker.net.want_write(id);
}

std::vector<std::byte> FakeBroker::answer(const RequestHeader& header, wire::Reader& reader,
                                          bool again) {
  const std::int16_t version = header.api_version;
  switch (header.api_key) {
    case 18:
      return with<ApiVersionsRequest>(version, reader, [&](auto&, auto& response, auto& arena) {
        versions(response, arena);
        return true;
      });
    case 3:
      return with<MetadataRequest>(version, reader,
                                   [&](auto& request, auto& response, auto& arena) {
                                     ++owner.metadata_requests;
                                     owner.creation_allowed = request.allow_auto_topic_creation;
                                     owner.topics_listed |= request.topics.is_null();
                                     metadata(request, response, arena);
                                     if (owner.edit_metadata) owner.edit_metadata(response);
                                     return true;
                                   });
    case 2:
      return with<ListOffsetsRequest>(version, reader,
                                      [&](auto& request, auto& response, auto& arena) {
                                        ++owner.list_offsets_requests;
                                        list_offsets(request, response, arena);
                                        return true;
                                      });
    case 23:
      return with<OffsetForLeaderEpochRequest>(version, reader,
                                               [&](auto& request, auto& response, auto& arena) {
                                                 ++owner.epoch_requests;
                                                 epochs(request, response, arena);
                                                 return true;
                                               });
    case 1:
      return with<FetchRequest>(version, reader, [&](auto& request, auto& response, auto& arena) {
        return fetch(request, version, response, arena, again);
      });
    default:
      return answer_group(header, reader, again);
  }
}

std::vector<std::byte> FakeBroker::answer_group(const RequestHeader& header, wire::Reader& reader,
                                                bool again) {
  const std::int16_t version = header.api_version;
  FakeGroup& group = owner.group;
  for (const auto& [name, topic] : owner.topics) group.topic_ids[name] = topic.id;
  switch (header.api_key) {
    case 8:
      return with<OffsetCommitRequest>(
          version, reader, [&](auto& request, auto& response, auto& arena) {
            return group.commit(request, response, arena, node, version, again);
          });
    case 9:
      return with<OffsetFetchRequest>(
          version, reader, [&](auto& request, auto& response, auto& arena) {
            return group.fetch(request, response, arena, node, version, again);
          });
    case 10:
      return with<FindCoordinatorRequest>(version, reader,
                                          [&](auto& request, auto& response, auto& arena) {
                                            return group.find(request, version, response, arena);
                                          });
    case 11:
      return with<JoinGroupRequest>(
          version, reader, [&](auto& request, auto& response, auto& arena) {
            return group.join(request, response, arena, node, version, again);
          });
    case 12:
      return with<HeartbeatRequest>(version, reader, [&](auto& request, auto& response, auto&) {
        return group.heartbeat(request, response, node, version, again);
      });
    case 13:
      return with<LeaveGroupRequest>(version, reader, [&](auto& request, auto& response, auto&) {
        return group.leave(request, response, node, version, again);
      });
    case 68:
      return with<ConsumerGroupHeartbeatRequest>(
          version, reader, [&](auto& request, auto& response, auto& arena) {
            return group.beat(request, response, arena, node, version, again);
          });
    case 14:
      return with<SyncGroupRequest>(
          version, reader, [&](auto& request, auto& response, auto& arena) {
            return group.sync(request, response, arena, node, version, again);
          });
    default:
      std::abort();
  }
}

void FakeBroker::versions(ApiVersionsResponse& response, wire::Arena& arena) const {
  std::vector<ApiVersionsResponse::ApiVersion> keys;
  for (const Api& api : all_apis()) {
    ApiVersionsResponse::ApiVersion entry;
    entry.api_key = api.key;
    entry.min_version = api.versions.min;
    entry.max_version = api.negotiable().max;
    if (api.key == 1) entry.max_version = owner.max_fetch_version;
    if (api.key == 23) entry.max_version = owner.max_epoch_version;
    const auto limit = owner.max_versions.find(api.key);
    if (limit != owner.max_versions.end()) entry.max_version = limit->second;
    if (entry.max_version >= entry.min_version) keys.push_back(entry);
  }
  response.api_keys = to_array(arena, keys);
}

void FakeBroker::metadata(const MetadataRequest& request, MetadataResponse& response,
                          wire::Arena& arena) const {
  std::vector<MetadataResponse::MetadataResponseBroker> nodes;
  for (const auto& broker : owner.brokers_) {
    MetadataResponse::MetadataResponseBroker entry;
    entry.node_id = broker->node;
    entry.host = wire::Text(broker->net.host());
    entry.port = 9092;
    nodes.push_back(entry);
  }
  response.brokers = to_array(arena, nodes);
  response.controller_id = 1;
  std::vector<MetadataResponse::MetadataResponseTopic> out;
  std::vector<wire::Text> names;
  for (const auto& wanted : request.topics) {
    const auto found = std::find_if(owner.topics.begin(), owner.topics.end(), [&](auto& each) {
      return wanted.name.is_null() && each.second.id == wanted.topic_id;
    });
    names.push_back(found == owner.topics.end() ? wanted.name : wire::Text(found->first));
  }
  if (request.topics.is_null()) {
    for (const auto& [name, topic] : owner.topics) names.emplace_back(name);
  }
  for (const wire::Text& name : names) {
    MetadataResponse::MetadataResponseTopic topic;
    topic.name = name;
    const auto found = owner.topics.find(name.str());
    if (found == owner.topics.end()) {
      topic.error_code = code(BrokerErrc::unknown_topic_or_partition);
      out.push_back(topic);
      continue;
    }
    topic.topic_id = found->second.id;
    std::vector<MetadataResponse::MetadataResponsePartition> partitions;
    for (const auto& [index, from] : found->second.partitions) {
      MetadataResponse::MetadataResponsePartition partition;
      partition.partition_index = index;
      partition.leader_id = from.leader;
      partition.leader_epoch = from.leader_epoch;
      partitions.push_back(partition);
    }
    topic.partitions = to_array(arena, partitions);
    out.push_back(topic);
  }
  response.topics = to_array(arena, out);
}

void FakeBroker::list_offsets(const ListOffsetsRequest& request, ListOffsetsResponse& response,
                              wire::Arena& arena) const {
  std::vector<ListOffsetsResponse::ListOffsetsTopicResponse> topics;
  for (const auto& asked : request.topics) {
    std::vector<ListOffsetsResponse::ListOffsetsPartitionResponse> partitions;
    for (const auto& each : asked.partitions) {
      ListOffsetsResponse::ListOffsetsPartitionResponse out;
      out.partition_index = each.partition_index;
      const PartitionName name{asked.name.str(), each.partition_index};
      const FakePartition& partition = owner.topics.at(name.first).partitions.at(name.second);
      if (owner.list_offsets_error) out.error_code = code(owner.list_offsets_error(name));
      if (partition.leader != node) out.error_code = code(BrokerErrc::not_leader_or_follower);
      if (out.error_code == 0) {
        out.leader_epoch = partition.leader_epoch;
        if (each.timestamp == -1) {
          out.offset = request.isolation_level == 1 && partition.last_stable >= 0
                           ? partition.last_stable
                           : partition.end;
        } else if (each.timestamp == -2) {
          out.offset = partition.start;
        } else if (const auto found = partition.offset_for_time.find(each.timestamp);
                   found != partition.offset_for_time.end()) {
          out.offset = found->second;
          out.timestamp = each.timestamp;
        }
      }
      partitions.push_back(out);
    }
    topics.push_back({.name = asked.name, .partitions = to_array(arena, partitions)});
  }
  response.topics = to_array(arena, topics);
}

void FakeBroker::epochs(const OffsetForLeaderEpochRequest& request,
                        OffsetForLeaderEpochResponse& response, wire::Arena& arena) const {
  std::vector<OffsetForLeaderEpochResponse::OffsetForLeaderTopicResult> topics;
  for (const auto& asked : request.topics) {
    std::vector<OffsetForLeaderEpochResponse::EpochEndOffset> partitions;
    for (const auto& each : asked.partitions) {
      owner.epochs_asked.push_back(each);
      const PartitionName name{asked.topic.str(), each.partition};
      const FakePartition& partition = owner.topics.at(name.first).partitions.at(name.second);
      OffsetForLeaderEpochResponse::EpochEndOffset out;
      out.partition = each.partition;
      if (each.current_leader_epoch < partition.leader_epoch) {
        out.error_code = code(BrokerErrc::fenced_leader_epoch);
      }
      if (partition.leader != node) out.error_code = code(BrokerErrc::not_leader_or_follower);
      if (owner.epoch_error) out.error_code = code(owner.epoch_error(name));
      if (out.error_code == 0) {
        out.leader_epoch = partition.epoch_end.first;
        out.end_offset = partition.epoch_end.second;
      }
      partitions.push_back(out);
    }
    topics.push_back({.topic = asked.topic, .partitions = to_array(arena, partitions)});
  }
  response.topics = to_array(arena, topics);
}

std::string FakeBroker::name_of(const wire::Text& name, const wire::Uuid& id) const {
  if (id.is_zero()) return name.str();
  for (const auto& [topic, state] : owner.topics) {
    if (state.id == id) return topic;
  }
  // No such topic (any more): the id itself, for the answer.
  return "?" + std::string(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
}

SeenFetch FakeBroker::see(const FetchRequest& request, std::int16_t version) const {
  SeenFetch seen{.node = node,
                 .version = version,
                 .session_id = request.session_id,
                 .session_epoch = request.session_epoch,
                 .max_bytes = request.max_bytes,
                 .isolation = request.isolation_level,
                 .rack = request.rack_id.str(),
                 .asked = {},
                 .forgotten = {}};
  for (const auto& topic : request.topics) {
    for (const auto& each : topic.partitions) {
      seen.asked[{name_of(topic.topic, topic.topic_id), each.partition}] = each;
    }
  }
  for (const auto& topic : request.forgotten_topics_data) {
    for (const std::int32_t each : topic.partitions) {
      seen.forgotten.insert({name_of(topic.topic, topic.topic_id), each});
    }
  }
  return seen;
}

bool FakeBroker::fetch(const FetchRequest& request, std::int16_t version, FetchResponse& response,
                       wire::Arena& arena, bool again) {
  const SeenFetch seen = see(request, version);
  if (!again) owner.fetches.push_back(seen);
  FetchState state;
  state.wants = seen.asked;
  const bool incremental = request.session_epoch > 0;
  if (request.session_epoch == 0 || request.session_epoch == -1) {
    if (!again) {
      fetch_sessions.erase(request.session_id);
      if (owner.sessions && request.session_epoch == 0 && version >= 7) {
        fetch_sessions[next_session++] = state;
      }
    }
    if (owner.sessions && request.session_epoch == 0 && version >= 7)
      response.session_id = next_session - 1;
  } else {
    const auto found = fetch_sessions.find(request.session_id);
    if (found == fetch_sessions.end()) {
      response.error_code = code(BrokerErrc::fetch_session_id_not_found);
      return true;
    }
    FetchState& session = found->second;
    if (!again) {
      if (request.session_epoch != session.epoch + 1) {
        response.error_code = code(BrokerErrc::invalid_fetch_session_epoch);
        return true;
      }
      session.epoch = request.session_epoch;
      for (const auto& [name, want] : seen.asked) session.wants[name] = want;
      for (const auto& name : seen.forgotten) session.wants.erase(name);
    }
    state = session;
    response.session_id = request.session_id;
  }
  read(seen, state, response, arena);
  const bool anything =
      response.error_code != 0 || request.session_epoch == -1 ||
      std::any_of(response.responses.begin(), response.responses.end(), [](auto& t) {
        return t.partitions[0].error_code != 0 || !t.partitions[0].records.empty();
      });
  static_cast<void>(incremental);
  if (owner.edit_fetch) return owner.edit_fetch(seen, response, arena);
  return anything;
}

void FakeBroker::read(const SeenFetch& seen, const FetchState& state, FetchResponse& response,
                      wire::Arena& arena) const {
  std::vector<FetchResponse::FetchableTopicResponse> topics;
  for (const auto& [name, want] : state.wants) {
    FetchResponse::PartitionData data;
    data.partition_index = name.second;
    FetchResponse::FetchableTopicResponse topic;
    char* text = arena.make_array<char>(name.first.size());
    std::copy(name.first.begin(), name.first.end(), text);
    topic.topic = wire::Text(std::string_view(text, name.first.size()));
    const auto found = owner.topics.find(name.first);
    if (found == owner.topics.end()) {
      data.error_code = code(BrokerErrc::unknown_topic_id);
      if (name.first.size() == 17)
        std::memcpy(topic.topic_id.bytes.data(), name.first.data() + 1, 16);
    } else {
      topic.topic_id = found->second.id;
      const FakePartition& partition = found->second.partitions.at(name.second);
      data.high_watermark = partition.end;
      data.last_stable_offset = partition.last_stable >= 0 ? partition.last_stable : partition.end;
      if (partition.leader != node && seen.rack.empty()) {
        data.error_code = code(BrokerErrc::not_leader_or_follower);
      } else if (want.current_leader_epoch >= 0 &&
                 want.current_leader_epoch < partition.leader_epoch) {
        data.error_code = code(BrokerErrc::fenced_leader_epoch);
      } else if (want.fetch_offset < partition.start || want.fetch_offset > partition.end) {
        data.error_code = code(BrokerErrc::offset_out_of_range);
      } else {
        std::vector<std::byte> bytes;
        for (const auto& batch : partition.batches) {
          if (batch.next_offset <= want.fetch_offset) continue;
          const std::size_t size = bytes.size() + batch.bytes.size();
          if (!bytes.empty() && size > static_cast<std::size_t>(want.partition_max_bytes)) break;
          bytes.insert(bytes.end(), batch.bytes.begin(), batch.bytes.end());
        }
        std::byte* copy = arena.make_array<std::byte>(bytes.size());
        if (!bytes.empty()) std::memcpy(copy, bytes.data(), bytes.size());
        data.records = wire::Records(std::span<const std::byte>(copy, bytes.size()));
        if (seen.isolation == 1) data.aborted_transactions = to_array(arena, partition.aborted);
      }
    }
    topic.partitions = to_array(arena, std::vector<FetchResponse::PartitionData>{data});
    topics.push_back(topic);
  }
  response.responses = to_array(arena, topics);
}

// -------------------------------------------------------------------------------------------- all

FakeBrokers::FakeBrokers(sim::World&, sim::Fabric& fabric, int count) {
  for (int i = 1; i <= count; ++i)
    brokers_.push_back(std::make_unique<FakeBroker>(*this, fabric, i));
}

FakeBrokers::~FakeBrokers() = default;

FakeTopic& FakeBrokers::add_topic(const std::string& name, int partitions) {
  FakeTopic& topic = topics[name];
  std::uint8_t sum = 7;
  for (const char c : name) sum = static_cast<std::uint8_t>(sum * 31 + c);
  topic.id.bytes.fill(sum);
  for (int i = 0; i < partitions; ++i) topic.partitions[i];
  return topic;
}

void FakeBrokers::changed() {
  for (auto& broker : brokers_) broker->net.wake();
}

void FakeBrokers::set_up(std::int32_t node, bool up) {
  for (auto& broker : brokers_) {
    if (broker->node == node) up ? broker->net.up() : broker->net.down();
  }
}

void FakeBrokers::cut_connections(std::int32_t node) {
  set_up(node, false);
  set_up(node, true);
}

std::vector<std::string> FakeBrokers::bootstrap() const {
  std::vector<std::string> servers;
  for (const auto& broker : brokers_) servers.push_back(broker->net.host() + ":9092");
  return servers;
}

}  // namespace tern::kafka::fake

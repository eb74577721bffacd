// Fetch: sessions, long polling, and records passed on by reference.
#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "protocol/wire/writer.h"
#include "tests/broker/broker.h"
#include "tests/broker/fetch_sessions.h"
#include "tests/broker/handlers.h"

namespace tern::broker {

using kafka::BrokerErrc;

namespace {

using PartitionIn = kafka::FetchRequest::FetchPartition;
using TopicOut = kafka::FetchResponse::FetchableTopicResponse;
using PartitionOut = kafka::FetchResponse::PartitionData;
using NodeOut = kafka::FetchResponse::NodeEndpoint;
using Aborted = kafka::FetchResponse::AbortedTransaction;

constexpr std::int16_t kFirstVersionWithIds = 13;
constexpr std::int16_t kFirstVersionForFollowers = 11;
constexpr std::int16_t kFirstVersionWithHints = 16;
constexpr std::int32_t kInitialEpoch = 0;
constexpr std::int32_t kFinalEpoch = -1;

struct Wanted {
  FetchWant want;
  BrokerErrc injected = BrokerErrc::none;
};

struct FetchState final : RequestState {
  std::vector<Wanted> wanted;
  std::int32_t session_id = 0;  // of an incremental fetch, or the one that was made
  bool incremental = false;
  BrokerErrc error = BrokerErrc::none;  // of the whole request
};

// One partition, looked up and judged.
struct Read {
  BrokerErrc error = BrokerErrc::none;
  Partition* partition = nullptr;
  EpochEnd diverging;
  std::size_t first_batch = 0;
  std::uint64_t available = 0;  // bytes from the first batch to the end
};

FetchKey key_of(std::int16_t version, wire::Text topic, const wire::Uuid& id,
                std::int32_t partition) {
  FetchKey key;
  if (version >= kFirstVersionWithIds) {
    key.id = id;
  } else {
    key.topic = topic.str();
  }
  key.partition = partition;
  return key;
}

Topic* find_topic(Request& request, const FetchKey& key) {
  return request.version() >= kFirstVersionWithIds ? request.cluster->find_topic(key.id)
                                                   : request.cluster->find_topic(key.topic);
}

std::vector<FetchWant> wants_of(Request& request, const kafka::FetchRequest& in) {
  std::vector<FetchWant> wants;
  for (const auto& topic : in.topics) {
    for (const PartitionIn& partition : topic.partitions) {
      FetchWant want;
      want.key = key_of(request.version(), topic.topic, topic.topic_id, partition.partition);
      want.current_leader_epoch = partition.current_leader_epoch;
      want.fetch_offset = partition.fetch_offset;
      want.last_fetched_epoch = partition.last_fetched_epoch;
      want.max_bytes = partition.partition_max_bytes;
      wants.push_back(std::move(want));
    }
  }
  return wants;
}

std::int32_t new_session_id(Request& request) {
  FetchSessions& sessions = request.broker->fetch_sessions();
  for (;;) {
    const auto id = static_cast<std::int32_t>(request.cluster->random() & 0x7fffffffU);
    if (id != 0 && !sessions.find(id)) return id;
  }
}

// A full request: it ends the session that it names and, unless it says that it is the last one,
// begins another one.
void begin_session(Request& request, const kafka::FetchRequest& in, std::vector<FetchWant>& wants,
                   FetchState& state) {
  FetchSessions& sessions = request.broker->fetch_sessions();
  if (in.session_id != 0) sessions.remove(in.session_id);
  if (in.session_epoch == kFinalEpoch || wants.empty()) return;
  FetchSession* session = sessions.create(
      new_session_id(request), request.cluster->config().max_fetch_sessions, request.now.mono);
  if (!session) return;
  session->uses_topic_ids = request.version() >= kFirstVersionWithIds;
  for (const FetchWant& want : wants) session->set(want);
  state.session_id = session->id;
}

// An incremental request changes its session, and then asks for all of it.
void continue_session(Request& request, const kafka::FetchRequest& in,
                      std::vector<FetchWant>& wants, FetchState& state) {
  FetchSessions& sessions = request.broker->fetch_sessions();
  FetchSession* session = sessions.find(in.session_id);
  if (!session) {
    state.error = BrokerErrc::fetch_session_id_not_found;
  } else if (session->epoch != in.session_epoch) {
    state.error = BrokerErrc::invalid_fetch_session_epoch;
  } else if (session->uses_topic_ids != (request.version() >= kFirstVersionWithIds)) {
    state.error = BrokerErrc::fetch_session_topic_id_error;
  }
  if (state.error != BrokerErrc::none) return;
  for (const FetchWant& want : wants) session->set(want);
  for (const auto& topic : in.forgotten_topics_data) {
    for (const std::int32_t partition : topic.partitions) {
      session->forget(key_of(request.version(), topic.topic, topic.topic_id, partition));
    }
  }
  if (session->wants().empty()) {
    sessions.remove(in.session_id);
    return;
  }
  session->epoch = session->epoch == INT32_MAX ? 1 : session->epoch + 1;
  session->last_used = request.now.mono;
  state.session_id = session->id;
  state.incremental = true;
  wants.assign(session->wants().begin(), session->wants().end());
}

std::unique_ptr<FetchState> begin(Request& request, const kafka::FetchRequest& in) {
  auto state = std::make_unique<FetchState>();
  std::vector<FetchWant> wants = wants_of(request, in);
  if (in.session_epoch == kInitialEpoch || in.session_epoch == kFinalEpoch) {
    begin_session(request, in, wants, *state);
  } else {
    continue_session(request, in, wants, *state);
  }
  if (state->error != BrokerErrc::none) return state;
  for (FetchWant& want : wants) {
    const Topic* topic = find_topic(request, want.key);
    const std::string_view name = topic ? std::string_view(topic->name) : want.key.topic;
    const BrokerErrc injected = request.injected(name, want.key.partition);
    state->wanted.push_back({std::move(want), injected});
  }
  return state;
}

Read look(Request& request, const Wanted& wanted) {
  Read read;
  const FetchWant& want = wanted.want;
  Topic* topic = find_topic(request, want.key);
  if (wanted.injected != BrokerErrc::none) {
    read.error = wanted.injected;
    if (topic) read.partition = request.cluster->find_partition(topic->name, want.key.partition);
    return read;
  }
  if (!topic && request.version() >= kFirstVersionWithIds) {
    read.error = BrokerErrc::unknown_topic_id;
    return read;
  }
  read.error = find_local(request, topic, want.key.partition, want.current_leader_epoch,
                          request.version() < kFirstVersionForFollowers, read.partition);
  if (read.error != BrokerErrc::none) {
    if (topic) read.partition = request.cluster->find_partition(topic->name, want.key.partition);
    return read;
  }
  const PartitionLog& log = read.partition->log;
  if (want.last_fetched_epoch >= 0) {
    const EpochEnd end = log.end_of_epoch(want.last_fetched_epoch);
    if (end.epoch < 0) {
      read.error = BrokerErrc::offset_out_of_range;
      return read;
    }
    if (end.epoch < want.last_fetched_epoch || end.end_offset < want.fetch_offset) {
      read.diverging = end;
      return read;
    }
  }
  if (want.fetch_offset < log.start_offset() || want.fetch_offset > log.end_offset()) {
    read.error = BrokerErrc::offset_out_of_range;
    return read;
  }
  read.first_batch = log.find(want.fetch_offset);
  if (read.first_batch < log.batches().size()) {
    read.available = log.end_position() - log.batches()[read.first_batch].position;
  }
  return read;
}

bool enough(Request& request, const kafka::FetchRequest& in, const FetchState& state) {
  const auto cap = std::min<std::uint64_t>(request.cluster->config().max_fetch_bytes,
                                           static_cast<std::uint64_t>(std::max(in.max_bytes, 0)));
  const auto needed =
      std::min<std::uint64_t>(static_cast<std::uint64_t>(std::max(in.min_bytes, 0)), cap);
  if (state.wanted.empty() || needed == 0) return true;
  std::uint64_t ready = 0;
  for (const Wanted& wanted : state.wanted) {
    const Read read = look(request, wanted);
    if (read.error != BrokerErrc::none || read.diverging.epoch >= 0) return true;
    ready += std::min<std::uint64_t>(
        read.available, static_cast<std::uint64_t>(std::max(wanted.want.max_bytes, 0)));
    if (ready >= needed) return true;
  }
  return false;
}

// Takes whole batches and then, as a real broker reads a file, part of the next one up to the
// limit. The first batch of an answer is taken even above the limit, so that a consumer always gets
// on.
std::vector<OutPiece> take(Request& request, const Read& read, std::uint64_t limit,
                           bool first_whole, std::size_t& taken) {
  std::vector<OutPiece> pieces;
  const auto& batches = read.partition->log.batches();
  taken = 0;
  for (std::size_t i = read.first_batch; i < batches.size(); ++i) {
    const StoredBatch& batch = batches[i];
    std::size_t size = batch.size;
    if (taken + size > limit && !(first_whole && i == read.first_batch)) {
      if (i == read.first_batch || !request.cluster->config().cut_last_batch) break;
      size = static_cast<std::size_t>(limit - taken);
    }
    if (size == 0) break;
    if (!pieces.empty() && pieces.back().data + pieces.back().size == batch.data) {
      pieces.back().size += size;
    } else {
      pieces.push_back({batch.frame, batch.data, size});
    }
    taken += size;
    if (taken >= limit) break;
  }
  return pieces;
}

// Small runs are copied together; large ones are noted for the answer to pass on. The encoder does
// not look into a records field that it leaves out: only its size counts.
wire::Records attach(Request& request, std::vector<OutPiece> pieces, std::size_t size) {
  if (size == 0) return {};
  if (size < wire::kMinSpliceBytes) {
    const auto copy = request.make<char>(size);
    auto to = copy.begin();
    for (const OutPiece& piece : pieces) {
      to = std::copy_n(reinterpret_cast<const char*>(piece.data), piece.size, to);
    }
    return wire::Records(std::string_view(copy.data(), size));
  }
  const char* data = reinterpret_cast<const char*>(pieces.front().data);
  request.spliced.push_back(std::move(pieces));
  return wire::Records(std::string_view(data, size));
}

void hint_leader(Request& request, const Partition& partition, PartitionOut& out,
                 std::vector<NodeOut>& nodes) {
  out.current_leader = {partition.leader, partition.leader_epoch};
  const Node* node = request.cluster->find_node(partition.leader);
  if (!node || std::any_of(nodes.begin(), nodes.end(),
                           [&](const NodeOut& other) { return other.node_id == node->id; })) {
    return;
  }
  nodes.push_back({node->id, node->advertised.host, node->advertised.port,
                   node->rack.empty() ? wire::Text::null() : wire::Text(node->rack)});
}

void fill(const kafka::FetchRequest& in, const Read& read, PartitionOut& out) {
  out.error_code = code(read.error);
  out.high_watermark = -1;
  out.aborted_transactions = wire::Array<Aborted>::null();
  if (read.error != BrokerErrc::none) return;
  const PartitionLog& log = read.partition->log;
  out.high_watermark = log.high_watermark();
  out.last_stable_offset = log.high_watermark();
  out.log_start_offset = log.start_offset();
  if (in.isolation_level == 1) out.aborted_transactions = {};
  if (read.diverging.epoch >= 0)
    out.diverging_epoch = {read.diverging.epoch, read.diverging.end_offset};
}

// In a session, only what is new is told.
bool worth_telling(const FetchWant& want, const PartitionOut& out, std::size_t taken) {
  return taken != 0 || out.error_code != 0 || out.diverging_epoch.epoch >= 0 ||
         want.told_high_watermark != out.high_watermark ||
         want.told_log_start != out.log_start_offset;
}

void note_told(FetchSession* session, const FetchKey& key, const PartitionOut& out, bool had_data) {
  if (!session) return;
  FetchWant* want = session->find(key);
  if (!want) return;
  want->told_high_watermark = out.high_watermark;  // -1 after an error: told again once it is over
  want->told_log_start = out.log_start_offset;
  if (had_data) session->move_to_end(key);
}

struct Told {
  const FetchKey* key = nullptr;
  PartitionOut out;
};

// Neighbours of the same topic go under one name.
void group_by_topic(Request& request, const std::vector<Told>& told, kafka::FetchResponse& out) {
  const auto topics = request.make<TopicOut>(told.size());
  const auto partitions = request.make<PartitionOut>(told.size());
  std::size_t used = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < told.size(); ++i) {
    partitions[i] = told[i].out;
    const FetchKey& key = *told[i].key;
    const bool same_as_next =
        i + 1 < told.size() && told[i + 1].key->topic == key.topic && told[i + 1].key->id == key.id;
    if (same_as_next) continue;
    TopicOut& topic = topics[used++];
    topic.topic = request.keep(key.topic);
    topic.topic_id = key.id;
    topic.partitions = {partitions.data() + begin, i + 1 - begin};
    begin = i + 1;
  }
  out.responses = {topics.data(), used};
}

void answer(Request& request, const kafka::FetchRequest& in, FetchState& state,
            kafka::FetchResponse& out) {
  FetchSession* session = request.broker->fetch_sessions().find(state.session_id);
  std::uint64_t left =
      std::min<std::uint64_t>(request.cluster->config().max_fetch_bytes,
                              static_cast<std::uint64_t>(std::max(in.max_bytes, 0)));
  bool first_whole = true;
  std::vector<Told> told;
  std::vector<NodeOut> nodes;
  for (const Wanted& wanted : state.wanted) {
    const FetchWant& want = wanted.want;
    const Read read = look(request, wanted);
    Told one;
    one.key = &want.key;
    one.out.partition_index = want.key.partition;
    fill(in, read, one.out);
    if (request.version() >= kFirstVersionWithHints && read.partition &&
        (read.error == BrokerErrc::not_leader_or_follower ||
         read.error == BrokerErrc::fenced_leader_epoch)) {
      hint_leader(request, *read.partition, one.out, nodes);
    }
    std::size_t taken = 0;
    if (read.available != 0) {
      const auto limit =
          std::min<std::uint64_t>(left, static_cast<std::uint64_t>(std::max(want.max_bytes, 0)));
      std::vector<OutPiece> pieces = take(request, read, limit, first_whole, taken);
      one.out.records = attach(request, std::move(pieces), taken);
    }
    if (taken != 0) first_whole = false;
    left -= std::min<std::uint64_t>(left, taken);
    if (!state.incremental || worth_telling(want, one.out, taken)) told.push_back(one);
    note_told(session, want.key, one.out, taken != 0);
  }
  group_by_topic(request, told, out);
  out.session_id = session ? session->id : 0;
  const auto endpoints = request.make<NodeOut>(nodes.size());
  std::copy(nodes.begin(), nodes.end(), endpoints.begin());
  out.node_endpoints = {endpoints.data(), endpoints.size()};
}

}  // namespace

Outcome handle(Request& request, const kafka::FetchRequest& in, kafka::FetchResponse& out) {
  if (!request.state) {
    bool apply = false;
    const BrokerErrc whole = request.injected_whole(&apply);
    const bool at_top =
        std::any_of(request.faults.begin(), request.faults.end(),
                    [](const auto& armed) { return armed->injection.whole_answer; });
    if (whole != BrokerErrc::none && at_top && !apply) {
      out.error_code = code(whole);
      return Outcome::answer;
    }
    request.state = begin(request, in);
    request.deadline =
        deadline_after(request.now.mono, std::chrono::milliseconds(std::max(in.max_wait_ms, 0)));
  }
  auto& state = static_cast<FetchState&>(*request.state);
  if (state.error != BrokerErrc::none) {
    out.error_code = code(state.error);
    return Outcome::answer;
  }
  if (request.now.mono < request.deadline && !enough(request, in, state)) return Outcome::wait;
  answer(request, in, state, out);
  return Outcome::answer;
}

}  // namespace tern::broker

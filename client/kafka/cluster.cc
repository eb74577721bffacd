#include "client/kafka/cluster.h"

#include <algorithm>
#include <chrono>

#include "client/kafka/endpoint.h"
#include "client/kafka/engine.h"

namespace tern::kafka {
namespace {

// Leader epochs in older answers may be stale (KAFKA-9212).
constexpr std::int16_t kFirstReliableEpochs = 9;
// Without topic ids (before Kafka 2.8), a topic that was deleted and created anew looks like one
// whose epochs went back. So does one that a broker knows only old things of, but not for so long.
constexpr Duration kOlderEpochsBelieved = std::chrono::seconds(10);
constexpr std::int16_t kFirstAutoCreateFlag = 4;
constexpr std::int16_t kFirstById = 12;
constexpr std::size_t kMaxTopicName = 249;

}  // namespace

Cluster::Cluster(Engine& engine)
    : engine_(engine),
      coordinators_(engine),
      names_backoff_(engine.config().retry_backoff, engine.config().retry_backoff_max),
      names_timer_(Timer::calling<&Cluster::on_names_timer>(engine.timers(), this)),
      backoff_(engine.config().retry_backoff, engine.config().retry_backoff_max),
      timer_(Timer::calling<&Cluster::on_timer>(engine.timers(), this)) {
  std::int32_t id = -1;
  for (const std::string& text : engine.config().bootstrap) {
    Endpoint endpoint;
    if (!parse_endpoint(text, endpoint)) continue;  // check() has refused these already
    bootstrap_.push_back(std::make_unique<Connection>(engine, id--, endpoint, Role::control));
  }
  if (!bootstrap_.empty()) {
    next_bootstrap_ = engine.random().below(static_cast<std::uint32_t>(bootstrap_.size()));
  }
}

// -------------------------------------------------------------------------------------- topics

Topic& Cluster::want(std::string_view name, Now now) {
  Topic& topic = add(name, now);
  topic.named = true;
  return topic;
}

Topic& Cluster::add(std::string_view name, Now now) {
  auto found = topics_.find(name);
  if (found == topics_.end()) {
    auto topic = std::make_unique<Topic>();
    topic->name = name;
    found = topics_.emplace(topic->name, std::move(topic)).first;
  }
  Topic& topic = *found->second;
  if (name.empty() || name.size() > kMaxTopicName) {
    // Asking for it would only spoil the answer about others.
    topic.answered = true;
    topic.error = BrokerErrc::invalid_topic_exception;
    return topic;
  }
  if (!std::exchange(topic.wanted, true)) ask_at_once(now);
  return topic;
}

void Cluster::ask_at_once(Now now) {
  if (refreshing_) {
    refresh_again_ = true;
  } else {
    timer_.set(now.mono);
    engine_.wake();
  }
}

void Cluster::list_topics(Now now) {
  if (!std::exchange(list_wanted_, true)) ask_at_once(now);
}

Topic* Cluster::find(std::string_view name) {
  const auto found = topics_.find(name);
  return found == topics_.end() ? nullptr : found->second.get();
}

Topic* Cluster::find(const wire::Uuid& id) {
  const auto found = topics_by_id_.find(id);
  return found == topics_by_id_.end() ? nullptr : found->second;
}

bool Cluster::on_leader_hint(Topic& topic, std::int32_t partition, std::int32_t leader,
                             std::int32_t leader_epoch, Now now) {
  if (partition < 0 || static_cast<std::size_t>(partition) >= topic.partitions.size()) return false;
  PartitionInfo& info = topic.partitions[static_cast<std::size_t>(partition)];
  if (leader < 0 || leader_epoch <= info.leader_epoch || !brokers_.contains(leader)) return false;
  info.leader = leader;
  info.leader_epoch = leader_epoch;
  notify(now);
  return true;
}

void Cluster::on_broker_hint(std::int32_t node_id, const Endpoint& endpoint, Now now) {
  Broker& broker = brokers_[node_id];
  if (broker.endpoint == endpoint) return;
  broker.endpoint = endpoint;
  for (auto& connection : broker.connections) {
    if (connection) connection->set_endpoint(endpoint, now);
  }
  for (auto& connection : broker.lent) connection->set_endpoint(endpoint, now);
}

// A request that names topics by ids is answered for those only: it cannot go with a refresh.
void Cluster::want_names(const std::vector<wire::Uuid>& ids) {
  if (naming_ || names_timer_.is_set() || engine_.is_closed()) return;
  naming_ = true;
  auto make = [ids](std::int16_t, wire::Arena& arena) {
    MetadataRequest request;
    request.allow_auto_topic_creation = false;
    auto* topics = arena.make_array<MetadataRequest::MetadataRequestTopic>(ids.size());
    if (topics == nullptr) return request;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      topics[i].topic_id = ids[i];
      topics[i].name = wire::Text::null();
    }
    request.topics = {topics, ids.size()};
    return request;
  };
  auto done = [this](const Failure& why, const MetadataResponse* reply, std::int16_t version,
                     Now now) { on_names(why, reply, version, now); };
  auto* call = new SimpleCall<MetadataRequest>(std::move(make), std::move(done));
  call->require_version(kFirstById);
  any_connection().send(*call);
}

void Cluster::on_names(const Failure& why, const MetadataResponse* reply, std::int16_t version,
                       Now now) {
  naming_ = false;
  if (engine_.is_closed()) return;
  bool all = !why;
  if (why) {
    engine_.tell_trouble("metadata", why);
  } else {
    for (const auto& topic : reply->topics) {
      // A broker may not have heard of a topic that the coordinator knows already.
      if (topic.error_code != 0 || topic.name.is_null() || topic.name.empty()) {
        all = false;
        continue;
      }
      add(topic.name.view(), now);
      take_topic(topic, version, now);
    }
  }
  names_timer_.set(deadline_after(now.mono, names_backoff_.next(engine_.random())));
  if (all) names_backoff_.reset();
  notify(now);
}

// ---------------------------------------------------------------------------------- refreshing

void Cluster::refresh(Now now) {
  if (refreshing_) return;  // what comes back is newer than what the caller knows of
  const Time soonest = deadline_after(refreshed_at_, engine_.config().retry_backoff);
  const Time when = backoff_.failures() > 0 ? timer_.when() : std::max(soonest, now.mono);
  // Nothing new, no wake-up: whoever asks in each step would never let the engine rest.
  if (when >= timer_.when()) return;
  timer_.set(when);
  engine_.wake();
}

// A topic that exists, as far as is known, or that nobody has named, must not be made because it
// has been deleted and is asked for.
bool Cluster::may_create() const {
  if (!engine_.config().allow_auto_create_topics) return false;
  return std::any_of(topics_.begin(), topics_.end(), [](const auto& each) {
    const Topic& topic = *each.second;
    const bool exists = topic.answered && topic.error != BrokerErrc::unknown_topic_or_partition;
    return topic.wanted && topic.named && !exists;
  });
}

void Cluster::send_refresh(Now now) {
  if (refreshing_ || engine_.is_closed()) return;
  refreshing_ = true;
  refresh_again_ = false;
  auto make = [this](std::int16_t version, wire::Arena& arena) {
    MetadataRequest request;
    request.allow_auto_topic_creation = version < kFirstAutoCreateFlag || may_create();
    if (list_wanted_) {  // of all topics, wanted or not
      request.topics = decltype(request.topics)::null();
      return request;
    }
    std::size_t count = 0;
    for (const auto& [name, topic] : topics_) count += topic->wanted ? 1 : 0;
    auto* names = arena.make_array<MetadataRequest::MetadataRequestTopic>(count);
    if (names == nullptr) return request;
    std::size_t i = 0;
    for (const auto& [name, topic] : topics_) {
      if (topic->wanted) names[i++].name = wire::Text(name);
    }
    request.topics = {names, count};
    return request;
  };
  auto done = [this](const Failure& why, const MetadataResponse* reply, std::int16_t version,
                     Now at) { on_metadata(why, reply, version, at); };
  static_cast<void>(now);
  any_connection().send(*new SimpleCall<MetadataRequest>(std::move(make), std::move(done)));
}

void Cluster::on_metadata(const Failure& why, const MetadataResponse* reply, std::int16_t version,
                          Now now) {
  refreshing_ = false;
  if (engine_.is_closed()) return;
  Failure failure = why;
  if (!failure && reply->error_code != 0) {
    const auto error = static_cast<BrokerErrc>(reply->error_code);
    failure = Failure(make_error_code(error), "metadata: " + make_error_code(error).message());
    use_bootstrap_ = use_bootstrap_ || error == BrokerErrc::rebootstrap_required;
  }
  if (!failure && reply->brokers.empty()) {
    failure =
        Failure(make_error_code(ClientErrc::no_broker), "metadata: the answer names no brokers");
  }
  if (failure) {
    trouble_ = failure;
    engine_.tell_trouble("metadata", failure);
    timer_.set(deadline_after(now.mono, backoff_.next(engine_.random())));
    notify(now);
    return;
  }
  trouble_ = {};
  refreshed_at_ = now.mono;
  ++updates_;
  use_bootstrap_ = false;
  take_brokers(*reply, now);
  bool incomplete = false;
  for (const auto& topic : reply->topics) incomplete |= !take_topic(topic, version, now);
  if (list_wanted_) take_list(*reply);
  if (incomplete) {
    timer_.set(deadline_after(now.mono, backoff_.next(engine_.random())));
  } else {
    backoff_.reset();
    timer_.set(refresh_again_ ? now.mono
                              : deadline_after(now.mono, engine_.config().metadata_max_age));
  }
  for (auto& connection : bootstrap_) {
    if (connection->is_ready() && connection->idle()) connection->close(Failure(), now);
  }
  notify(now);
}

void Cluster::take_brokers(const MetadataResponse& reply, Now now) {
  if (!reply.cluster_id.is_null()) cluster_id_ = reply.cluster_id.str();
  controller_id_ = reply.controller_id;
  for (auto& [id, broker] : brokers_) broker.current = false;
  for (const auto& from : reply.brokers) {
    Broker& broker = brokers_[from.node_id];
    broker.current = true;
    broker.rack = from.rack.is_null() ? std::string() : from.rack.str();
    on_broker_hint(from.node_id, Endpoint{from.host.str(), static_cast<std::uint16_t>(from.port)},
                   now);
  }
}

// An answer to a request from before list_topics() lists too little, and another one is under way.
void Cluster::take_list(const MetadataResponse& reply) {
  if (refresh_again_) return;
  has_listed_ = true;
  listed_.clear();
  std::set<std::string_view> named;
  for (const auto& topic : reply.topics) {
    if (topic.name.is_null()) continue;
    named.insert(topic.name.view());
    if (topic.error_code == 0 && !topic.is_internal) listed_.insert(topic.name.str());
  }
  // The others do not exist: they would have been named.
  for (auto& [name, topic] : topics_) {
    if (!topic->wanted || named.contains(name)) continue;
    topic->answered = true;
    topic->error = BrokerErrc::unknown_topic_or_partition;
  }
}

// False if another refresh is needed to know all about it.
bool Cluster::take_topic(const MetadataResponse::MetadataResponseTopic& from, std::int16_t version,
                         Now now) {
  if (from.name.is_null()) return true;  // only asked for by name
  Topic* topic = find(from.name.view());
  if (!topic) return true;
  topic->answered = true;
  topic->error = static_cast<BrokerErrc>(from.error_code);
  // What was known stays in use over an error: a topic may be missing from one answer only.
  if (topic->error != BrokerErrc::none) return !is_retriable(topic->error);
  if (!from.topic_id.is_zero() && from.topic_id != topic->id) {
    if (!topic->id.is_zero()) {
      topics_by_id_.erase(topic->id);
      topic->partitions.clear();
      ++topic->incarnation;
    }
    topic->id = from.topic_id;
    topics_by_id_[topic->id] = topic;
  }
  bool older = false;
  const bool made_anew = topic->id.is_zero() && topic->older_since != kNever &&
                         now.mono - topic->older_since >= kOlderEpochsBelieved;
  bool complete = true;
  for (const auto& partition : from.partitions) {
    // A broker that lies about numbers must not make us allocate: they are dense.
    if (partition.partition_index < 0 ||
        static_cast<std::size_t>(partition.partition_index) >=
            std::max(from.partitions.size(), topic->partitions.size())) {
      continue;
    }
    const auto index = static_cast<std::size_t>(partition.partition_index);
    if (index >= topic->partitions.size()) topic->partitions.resize(index + 1);
    PartitionInfo& info = topic->partitions[index];
    const std::int32_t epoch = version >= kFirstReliableEpochs ? partition.leader_epoch : -1;
    if (epoch >= 0 && epoch < info.leader_epoch && !made_anew) {
      older = true;  // than what we have seen: ask somebody who knows more
      continue;
    }
    const auto error = static_cast<BrokerErrc>(partition.error_code);
    const bool has_leader = partition.leader_id >= 0 && error != BrokerErrc::leader_not_available;
    info.leader = has_leader ? partition.leader_id : -1;
    info.leader_epoch = epoch;
    info.replicas.assign(partition.replica_nodes.begin(), partition.replica_nodes.end());
    info.in_sync.assign(partition.isr_nodes.begin(), partition.isr_nodes.end());
    complete &= has_leader;
  }
  if (!older) topic->older_since = kNever;
  if (older && topic->older_since == kNever) topic->older_since = now.mono;
  return complete && !older;
}

// --------------------------------------------------------------------------------- connections

Connection& Cluster::connect(Broker& broker, std::int32_t node_id, Role role) {
  auto& slot = broker.connections[static_cast<std::size_t>(role)];
  if (!slot) slot = std::make_unique<Connection>(engine_, node_id, broker.endpoint, role);
  return *slot;
}

Connection* Cluster::connection(std::int32_t node_id, Role role) {
  const auto found = brokers_.find(node_id);
  return found == brokers_.end() ? nullptr : &connect(found->second, node_id, role);
}

// A ready connection with the least to do, else a random broker that is not known to be down; with
// `down`, a random one that is.
Connection* Cluster::pick_broker(bool down) {
  constexpr auto kControl = static_cast<std::size_t>(Role::control);
  Connection* best = nullptr;
  for (auto& [id, broker] : brokers_) {
    Connection* connection = broker.connections[kControl].get();
    if (!broker.current || !connection || !connection->is_ready()) continue;
    if (!best || connection->load() < best->load()) best = connection;
  }
  if (best) return best;
  std::uint32_t seen = 0;
  std::int32_t pick = -1;
  for (auto& [id, broker] : brokers_) {
    const Connection* connection = broker.connections[kControl].get();
    if (!broker.current || (connection && connection->is_down() != down)) continue;
    if (!connection && down) continue;
    if (engine_.random().below(++seen) == 0) pick = id;
  }
  return seen == 0 ? nullptr : &connect(brokers_.at(pick), pick, Role::control);
}

Connection& Cluster::pick_bootstrap() {
  for (auto& connection : bootstrap_) {
    if (connection->is_ready()) return *connection;
  }
  for (std::size_t i = 0; i < bootstrap_.size(); ++i) {
    Connection& next = *bootstrap_[next_bootstrap_ % bootstrap_.size()];
    if (!next.is_down()) return next;
    ++next_bootstrap_;
  }
  return *bootstrap_[next_bootstrap_++ % bootstrap_.size()];
}

Connection& Cluster::any_connection() {
  if (!use_bootstrap_) {
    if (Connection* connection = pick_broker(/*down=*/false)) return *connection;
    // The bootstrap servers may be gone for good while a broker has come back: neither is left out.
    Connection* connection = engine_.random().below(2) == 0 ? pick_broker(/*down=*/true) : nullptr;
    if (connection) return *connection;
  }
  return pick_bootstrap();
}

Connection* Cluster::controller_connection() {
  const auto found = brokers_.find(controller_id_);
  if (found == brokers_.end()) return nullptr;
  return &connect(found->second, controller_id_, Role::control);
}

Connection* Cluster::lend_connection(std::int32_t node_id, Role role) {
  const auto found = brokers_.find(node_id);
  if (found == brokers_.end()) return nullptr;
  Broker& broker = found->second;
  for (auto& connection : broker.lent) {
    if (connection->role() == role && std::erase(free_, connection.get()) != 0) {
      return connection.get();
    }
  }
  broker.lent.push_back(std::make_unique<Connection>(engine_, node_id, broker.endpoint, role));
  return broker.lent.back().get();
}

void Cluster::give_back(Connection& connection) { free_.push_back(&connection); }

std::vector<std::int32_t> Cluster::node_ids() const {
  std::vector<std::int32_t> ids;
  for (const auto& [id, broker] : brokers_) {
    if (broker.current) ids.push_back(id);
  }
  return ids;
}

const Endpoint* Cluster::endpoint(std::int32_t node_id) const {
  const auto found = brokers_.find(node_id);
  return found == brokers_.end() ? nullptr : &found->second.endpoint;
}

std::string_view Cluster::rack(std::int32_t node_id) const {
  const auto found = brokers_.find(node_id);
  return found == brokers_.end() ? std::string_view() : std::string_view(found->second.rack);
}

void Cluster::close_all(const Failure& why, Now now) {
  timer_.cancel();
  for (auto& connection : bootstrap_) connection->close(why, now);
  for (auto& [id, broker] : brokers_) {
    for (auto& connection : broker.connections) {
      if (connection) connection->close(why, now);
    }
    for (auto& connection : broker.lent) connection->close(why, now);
  }
}

// ----------------------------------------------------------------------------------- listeners

void Cluster::add_listener(ClusterListener& listener) { listeners_.push_back(&listener); }

void Cluster::remove_listener(ClusterListener& listener) { std::erase(listeners_, &listener); }

void Cluster::notify(Now now) {
  for (std::size_t i = 0; i < listeners_.size(); ++i) listeners_[i]->on_cluster_changed(now);
  engine_.wake();
}

}  // namespace tern::kafka

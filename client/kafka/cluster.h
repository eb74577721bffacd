// Cluster: what is known of brokers, topics and leaders, kept fresh, and the connections to the
// brokers.
//
// A Topic is interned: its address is good for as long as the engine lives. Listeners are told
// after each change. Belongs to the engine's executor.
#ifndef TERN_CLIENT_KAFKA_CLUSTER_H_
#define TERN_CLIENT_KAFKA_CLUSTER_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "client/core/backoff.h"
#include "client/core/timers.h"
#include "client/kafka/connection.h"
#include "client/kafka/coordinators.h"
#include "protocol/kafka/errors.h"
#include "protocol/kafka/messages/metadata.h"

namespace tern::kafka {

struct PartitionInfo {
  std::int32_t leader = -1;        // node id; -1: none now
  std::int32_t leader_epoch = -1;  // -1: unknown (old brokers)
  std::vector<std::int32_t> replicas;
  std::vector<std::int32_t> in_sync;
};

struct Topic {
  std::string name;
  wire::Uuid id;                          // zero: unknown (brokers before 2.8)
  std::vector<PartitionInfo> partitions;  // empty: not known yet
  BrokerErrc error = BrokerErrc::none;    // of the last answer about it
  bool wanted = false;                    // asked for in each refresh
  bool named = false;                     // by somebody here: asking for it may create it
  bool answered = false;                  // some answer about it has come
  std::uint64_t incarnation = 0;  // grows when the topic turns out to have been created anew
  Time older_since = kNever;      // all answers since then had older epochs than we know
};

class ClusterListener {
 public:
  // Metadata has been refreshed or a leader has changed.
  virtual void on_cluster_changed(Now now) = 0;

 protected:
  ~ClusterListener() = default;
};

class Cluster {
 public:
  explicit Cluster(Engine& engine);

  // The topic with this name, in each refresh from now on. The first call asks for it at once.
  Topic& want(std::string_view name, Now now);
  // Null if it was never wanted.
  Topic* find(std::string_view name);
  Topic* find(const wire::Uuid& id);

  // Topics of which nothing but the id is known: their names are asked for, and then they are
  // wanted. To be called in each step until find() knows them; asks no more often than makes sense.
  void want_names(const std::vector<wire::Uuid>& ids);

  // From now on each refresh asks for the names of all topics there are, the first one at once.
  void list_topics(Now now);
  // Without those that are Kafka's own. Empty until an answer has come.
  const std::set<std::string>& listed_topics() const { return listed_; }
  bool has_listed() const { return has_listed_; }

  // Asks for fresh metadata: at once if nothing is known to be wrong with that, else after a
  // backoff.
  void refresh(Now now);
  // A broker has told a newer leader in an answer (KIP-951). False if it is old news.
  bool on_leader_hint(Topic& topic, std::int32_t partition, std::int32_t leader,
                      std::int32_t leader_epoch, Now now);
  void on_broker_hint(std::int32_t node_id, const Endpoint& endpoint, Now now);

  // The connection to a known broker; null if no such broker is known (refresh, then ask again).
  Connection* connection(std::int32_t node_id, Role role);
  // Some broker for a request that any can answer; never null. Prefers ones that are ready, avoids
  // ones that are down, falls back to the bootstrap servers.
  Connection& any_connection();
  // Null while the controller is unknown.
  Connection* controller_connection();
  // A connection for a request that keeps all behind it waiting: nobody else uses it until it is
  // given back. Null as connection().
  Connection* lend_connection(std::int32_t node_id, Role role);
  void give_back(Connection& connection);

  std::vector<std::int32_t> node_ids() const;
  const Endpoint* endpoint(std::int32_t node_id) const;
  // Empty if it is not known.
  std::string_view rack(std::int32_t node_id) const;
  Coordinators& coordinators() { return coordinators_; }
  const std::string& cluster_id() const { return cluster_id_; }
  std::int32_t controller_id() const { return controller_id_; }
  std::uint64_t updates() const { return updates_; }
  // Why the last refresh failed; empty after one that worked.
  const Failure& trouble() const { return trouble_; }

  void add_listener(ClusterListener& listener);
  void remove_listener(ClusterListener& listener);

  void close_all(const Failure& why, Now now);

 private:
  struct Broker {
    Endpoint endpoint;
    std::string rack;
    bool current = true;  // named in the newest metadata
    std::array<std::unique_ptr<Connection>, 4> connections;
    std::vector<std::unique_ptr<Connection>> lent;  // and those that were given back
  };

  void on_timer(Now now) { send_refresh(now); }
  Topic& add(std::string_view name, Now now);
  bool may_create() const;
  void send_refresh(Now now);
  void on_metadata(const Failure& why, const MetadataResponse* reply, std::int16_t version,
                   Now now);
  void take_brokers(const MetadataResponse& reply, Now now);
  void take_list(const MetadataResponse& reply);
  void on_names(const Failure& why, const MetadataResponse* reply, std::int16_t version, Now now);
  void on_names_timer(Now) {}  // whoever wants names asks again in the step that follows
  void ask_at_once(Now now);
  bool take_topic(const MetadataResponse::MetadataResponseTopic& from, std::int16_t version,
                  Now now);
  void notify(Now now);
  Connection& connect(Broker& broker, std::int32_t node_id, Role role);
  Connection* pick_broker(bool down);
  Connection& pick_bootstrap();

  Engine& engine_;
  Coordinators coordinators_;  // outlives the connections, which hold calls of its own
  std::map<std::int32_t, Broker> brokers_;
  std::vector<std::unique_ptr<Connection>> bootstrap_;
  std::vector<Connection*> free_;  // of those in Broker::lent
  std::size_t next_bootstrap_ = 0;
  std::map<std::string, std::unique_ptr<Topic>, std::less<>> topics_;
  std::map<wire::Uuid, Topic*> topics_by_id_;
  bool naming_ = false;  // names of ids are being asked for
  Backoff names_backoff_;
  Timer names_timer_;  // set: not before then
  bool list_wanted_ = false;
  bool has_listed_ = false;
  std::set<std::string> listed_;
  std::string cluster_id_;
  std::int32_t controller_id_ = -1;
  bool refreshing_ = false;
  bool use_bootstrap_ = false;  // the brokers have said that they are not to be asked any more
  Time refreshed_at_{};
  bool refresh_again_ =
      false;  // something new is wanted that the request under way does not ask for
  std::uint64_t updates_ = 0;
  Failure trouble_;
  Backoff backoff_;
  Timer timer_;
  std::vector<ClusterListener*> listeners_;
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_CLUSTER_H_

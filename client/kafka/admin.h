// Admin: topics, groups and the cluster itself.
//
//   kafka::Admin admin(client);
//   std::vector<kafka::NewTopic> topics = {{.name = "orders", .partitions = 6}};
//   kafka::TopicResults made = co_await admin.async_create_topics(topics, asio::use_awaitable);
//
// Every call takes any completion token with void(std::error_code, Result), and may be given a
// Diagnostics for the error in words. The error code is about the request as a whole; calls about
// several topics answer for each of them in their result (a topic may exist already while the
// others were made). Requests are tried again, elsewhere if need be, until
// ClientConfig::operation_timeout is over (timed_out). A try whose answer was lost may have been
// carried out: creating a topic can then end with TOPIC_ALREADY_EXISTS.
//
// Groups: of the classic protocol and of the consumer protocol (KIP-848) alike; a group is asked
// for at its coordinator, wherever that is by now. How far a group is behind is the end of each
// partition (Consumer::async_end_offsets()) less async_group_offsets().
//
// Threading and lifetime: as in client.h.
#ifndef TERN_CLIENT_KAFKA_ADMIN_H_
#define TERN_CLIENT_KAFKA_ADMIN_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "client/kafka/client.h"
#include "client/kafka/consumer_records.h"
#include "client/kafka/group_descriptions.h"
#include "protocol/kafka/errors.h"
#include "protocol/wire/bytes.h"

namespace tern::kafka {

class AdminCore;

struct NewTopic {
  std::string name;
  std::int32_t partitions = -1;          // -1: the broker's default (1 where brokers have none)
  std::int16_t replication_factor = -1;  // -1: the broker's default (1 where brokers have none)
  std::vector<std::pair<std::string, std::string>> configs = {};  // "retention.ms", "60000"
};

struct TopicResult {
  std::string topic;
  std::error_code error;  // a BrokerErrc, or none
  std::string message;    // the broker's words, or those of the code
};
using TopicResults = std::vector<TopicResult>;

struct PartitionDescription {
  std::int32_t partition = 0;
  std::int32_t leader = -1;        // node id; -1: none now
  std::int32_t leader_epoch = -1;  // -1: the broker does not tell
  std::vector<std::int32_t> replicas;
  std::vector<std::int32_t> in_sync;
  std::vector<std::int32_t> offline;
};

struct TopicDescription {
  std::string name;
  wire::Uuid id;  // zero: the broker has none
  bool internal = false;
  std::error_code error;  // unknown_topic_or_partition, ...
  std::vector<PartitionDescription> partitions;
};

struct NodeDescription {
  std::int32_t id = -1;
  Endpoint endpoint;
  std::string rack;
};

struct ClusterDescription {
  std::string cluster_id;
  std::int32_t controller_id = -1;
  std::vector<NodeDescription> nodes;
  std::vector<TopicDescription> topics;  // by name
};

struct NewPartitions {
  std::string topic;
  std::int32_t total = 0;  // how many there are to be, not how many more
};

class Admin {
 public:
  explicit Admin(const Client& client);
  ~Admin();
  Admin(Admin&&) noexcept = default;
  Admin& operator=(Admin&&) = delete;

  template <class Token>
  auto async_create_topics(std::vector<NewTopic> topics, Token&& token,
                           Diagnostics* diagnostics = nullptr) {
    return start<TopicResults>(&Admin::create_topics, std::move(topics), std::forward<Token>(token),
                               diagnostics);
  }
  template <class Token>
  auto async_delete_topics(std::vector<std::string> topics, Token&& token,
                           Diagnostics* diagnostics = nullptr) {
    return start<TopicResults>(&Admin::delete_topics, std::move(topics), std::forward<Token>(token),
                               diagnostics);
  }
  // More partitions for topics that exist. Keys will go to other partitions than before.
  template <class Token>
  auto async_create_partitions(std::vector<NewPartitions> topics, Token&& token,
                               Diagnostics* diagnostics = nullptr) {
    return start<TopicResults>(&Admin::create_partitions, std::move(topics),
                               std::forward<Token>(token), diagnostics);
  }
  // The cluster with all its topics.
  template <class Token>
  auto async_describe_cluster(Token&& token, Diagnostics* diagnostics = nullptr) {
    return start<ClusterDescription>(&Admin::describe_cluster, std::monostate(),
                                     std::forward<Token>(token), diagnostics);
  }
  // These topics only; an unknown one has its `error` set. Does not create any.
  template <class Token>
  auto async_describe_topics(std::vector<std::string> topics, Token&& token,
                             Diagnostics* diagnostics = nullptr) {
    return start<ClusterDescription>(&Admin::describe_topics, std::move(topics),
                                     std::forward<Token>(token), diagnostics);
  }

  // All groups of the cluster, by name: each broker is asked for those that it coordinates.
  template <class Token>
  auto async_list_groups(Token&& token, Diagnostics* diagnostics = nullptr) {
    return start<std::vector<GroupListing>>(&Admin::list_groups, std::monostate(),
                                            std::forward<Token>(token), diagnostics);
  }
  // In the order asked; one that does not exist has its `error` set.
  template <class Token>
  auto async_describe_groups(std::vector<std::string> groups, Token&& token,
                             Diagnostics* diagnostics = nullptr) {
    return start<GroupDescriptions>(&Admin::describe_groups, std::move(groups),
                                    std::forward<Token>(token), diagnostics);
  }
  // Groups without members, with all that they have stored; with members: non_empty_group.
  template <class Token>
  auto async_delete_groups(std::vector<std::string> groups, Token&& token,
                           Diagnostics* diagnostics = nullptr) {
    return start<GroupResults>(&Admin::delete_groups, std::move(groups), std::forward<Token>(token),
                               diagnostics);
  }
  // All that the group has stored, by topic and partition; nothing for a group that does not exist.
  // What transactions store that are not decided yet is not among it.
  template <class Token>
  auto async_group_offsets(std::string group, Token&& token, Diagnostics* diagnostics = nullptr) {
    return start<Offsets>(&Admin::group_offsets, std::move(group), std::forward<Token>(token),
                          diagnostics);
  }
  // Stores these in a group that has no members (with members: unknown_member_id for each), which
  // comes into being if need be; others that it has stored stay. Results come by topic and
  // partition.
  template <class Token>
  auto async_set_group_offsets(std::string group, Offsets offsets, Token&& token,
                               Diagnostics* diagnostics = nullptr) {
    return start<PartitionResults>(&Admin::set_group_offsets,
                                   GroupAnd<Offsets>(std::move(group), std::move(offsets)),
                                   std::forward<Token>(token), diagnostics);
  }
  // Forgets what is stored for these. A topic that members are subscribed to:
  // group_subscribed_to_topic for each of its partitions.
  template <class Token>
  auto async_delete_group_offsets(std::string group, Partitions partitions, Token&& token,
                                  Diagnostics* diagnostics = nullptr) {
    return start<PartitionResults>(&Admin::delete_group_offsets,
                                   GroupAnd<Partitions>(std::move(group), std::move(partitions)),
                                   std::forward<Token>(token), diagnostics);
  }

 private:
  using Core = std::shared_ptr<AdminCore>;
  template <class What>
  using GroupAnd = std::pair<std::string, What>;
  template <class Result>
  using Done = Completion<Failure, Result>;

  static void create_topics(const Core&, std::uint64_t, std::vector<NewTopic>, Done<TopicResults>);
  static void delete_topics(const Core&, std::uint64_t, std::vector<std::string>,
                            Done<TopicResults>);
  static void create_partitions(const Core&, std::uint64_t, std::vector<NewPartitions>,
                                Done<TopicResults>);
  static void describe_cluster(const Core&, std::uint64_t, std::monostate,
                               Done<ClusterDescription>);
  static void describe_topics(const Core&, std::uint64_t, std::vector<std::string>,
                              Done<ClusterDescription>);
  static void list_groups(const Core&, std::uint64_t, std::monostate,
                          Done<std::vector<GroupListing>>);
  static void describe_groups(const Core&, std::uint64_t, std::vector<std::string>,
                              Done<GroupDescriptions>);
  static void delete_groups(const Core&, std::uint64_t, std::vector<std::string>,
                            Done<GroupResults>);
  static void group_offsets(const Core&, std::uint64_t, std::string, Done<Offsets>);
  static void set_group_offsets(const Core&, std::uint64_t, GroupAnd<Offsets>,
                                Done<PartitionResults>);
  static void delete_group_offsets(const Core&, std::uint64_t, GroupAnd<Partitions>,
                                   Done<PartitionResults>);

  template <class Result, class Argument, class Token>
  auto start(void (*call)(const Core&, std::uint64_t, Argument, Done<Result>), Argument argument,
             Token&& token, Diagnostics* diagnostics) {
    return net::async_start<Result>(
        state_->executor(), state_,
        [state = state_, core = core_, call, argument = std::move(argument)](
            std::uint64_t op, Done<Result> done) mutable {
          state->run(
              [core, call, op, argument = std::move(argument), done = std::move(done)]() mutable {
                call(core, op, std::move(argument), std::move(done));
              });
        },
        std::forward<Token>(token), diagnostics);
  }

  std::shared_ptr<ClientState> state_;
  Core core_;
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_ADMIN_H_

#include "protocol/kafka/errors.h"

#include <iterator>
#include <string>

namespace tern::kafka {
namespace {

enum Class : std::uint8_t {
  kFinal,
  kRetry,
  kMetadata
};  // each includes what the one before allows

struct Entry {
  const char* name;
  Class retry;
  const char* text;
};

// In order of number, from -1.
constexpr Entry kEntries[] = {
    {"UNKNOWN_SERVER_ERROR", kFinal,
     "the broker failed in a way it did not foresee; its log says more"},
    {"NONE", kFinal, "no error"},
    {"OFFSET_OUT_OF_RANGE", kFinal, "the partition has no such offset (any more)"},
    {"CORRUPT_MESSAGE", kRetry,
     "the batch is corrupt: wrong checksum or size, or a null key in a compacted topic"},
    {"UNKNOWN_TOPIC_OR_PARTITION", kMetadata, "the broker does not have this topic or partition"},
    {"INVALID_FETCH_SIZE", kFinal, "the fetch size makes no sense"},
    {"LEADER_NOT_AVAILABLE", kMetadata,
     "the partition has no leader at the moment; one is being elected"},
    {"NOT_LEADER_OR_FOLLOWER", kMetadata,
     "the broker is not the leader (or not even a replica) of this partition"},
    {"REQUEST_TIMED_OUT", kRetry, "the broker ran out of time before the request was done"},
    {"BROKER_NOT_AVAILABLE", kFinal, "the broker is not available"},
    {"REPLICA_NOT_AVAILABLE", kMetadata, "the broker has no usable replica of this partition"},
    {"MESSAGE_TOO_LARGE", kFinal, "the batch is larger than the topic allows"},
    {"STALE_CONTROLLER_EPOCH", kFinal, "another broker has become controller"},
    {"OFFSET_METADATA_TOO_LARGE", kFinal, "the metadata stored with an offset is too long"},
    {"NETWORK_EXCEPTION", kMetadata, "the connection ended before an answer came"},
    {"COORDINATOR_LOAD_IN_PROGRESS", kRetry, "the coordinator is still loading its state"},
    {"COORDINATOR_NOT_AVAILABLE", kRetry, "there is no coordinator at the moment"},
    {"NOT_COORDINATOR", kRetry, "the broker is not the coordinator of this group or transaction"},
    {"INVALID_TOPIC_EXCEPTION", kFinal,
     "the topic name is not valid, or the topic is not open to this operation"},
    {"RECORD_LIST_TOO_LARGE", kFinal, "the batch is larger than a log segment"},
    {"NOT_ENOUGH_REPLICAS", kRetry, "not enough replicas are in sync, so nothing was written"},
    {"NOT_ENOUGH_REPLICAS_AFTER_APPEND", kRetry,
     "written by the leader, but then not enough replicas were in sync to confirm it"},
    {"INVALID_REQUIRED_ACKS", kFinal, "the broker knows no such acks setting"},
    {"ILLEGAL_GENERATION", kFinal, "the generation of the group is a different one by now"},
    {"INCONSISTENT_GROUP_PROTOCOL", kFinal,
     "the member shares no assignment protocol with the rest of the group"},
    {"INVALID_GROUP_ID", kFinal, "the group id is not valid"},
    {"UNKNOWN_MEMBER_ID", kFinal, "the coordinator does not know this member"},
    {"INVALID_SESSION_TIMEOUT", kFinal,
     "the session timeout is outside the range that the broker allows"},
    {"REBALANCE_IN_PROGRESS", kFinal, "the group is rebalancing; the member has to join again"},
    {"INVALID_COMMIT_OFFSET_SIZE", kFinal, "the offset commit is too large"},
    {"TOPIC_AUTHORIZATION_FAILED", kFinal, "no permission for this topic"},
    {"GROUP_AUTHORIZATION_FAILED", kFinal, "no permission for this group"},
    {"CLUSTER_AUTHORIZATION_FAILED", kFinal, "no permission for this operation on the cluster"},
    {"INVALID_TIMESTAMP", kFinal,
     "the record's timestamp is outside the range that the topic allows"},
    {"UNSUPPORTED_SASL_MECHANISM", kFinal, "the broker does not offer this SASL mechanism"},
    {"ILLEGAL_SASL_STATE", kFinal, "the request does not fit the state of the SASL exchange"},
    {"UNSUPPORTED_VERSION", kFinal, "the broker does not support this version of the request"},
    {"TOPIC_ALREADY_EXISTS", kFinal, "a topic of this name exists already"},
    {"INVALID_PARTITIONS", kFinal, "the number of partitions is not valid"},
    {"INVALID_REPLICATION_FACTOR", kFinal,
     "the replication factor is not valid, or larger than the number of brokers"},
    {"INVALID_REPLICA_ASSIGNMENT", kFinal, "the replica assignment is not valid"},
    {"INVALID_CONFIG", kFinal, "a setting is not valid"},
    {"NOT_CONTROLLER", kRetry, "the broker is not the controller"},
    {"INVALID_REQUEST", kFinal, "the broker cannot make sense of the request"},
    {"UNSUPPORTED_FOR_MESSAGE_FORMAT", kFinal,
     "the log's message format is too old for this request"},
    {"POLICY_VIOLATION", kFinal, "a policy of the broker forbids it"},
    {"OUT_OF_ORDER_SEQUENCE_NUMBER", kFinal,
     "a batch is missing before this one in the producer's sequence"},
    {"DUPLICATE_SEQUENCE_NUMBER", kFinal, "the broker has this batch of the producer already"},
    {"INVALID_PRODUCER_EPOCH", kFinal, "the producer's epoch is out of date"},
    {"INVALID_TXN_STATE", kFinal, "the transaction is in a state that does not allow this"},
    {"INVALID_PRODUCER_ID_MAPPING", kFinal,
     "the producer id does not belong to this transactional id"},
    {"INVALID_TRANSACTION_TIMEOUT", kFinal,
     "the transaction timeout is above what the broker allows"},
    {"CONCURRENT_TRANSACTIONS", kRetry, "another operation on this transaction is still under way"},
    {"TRANSACTION_COORDINATOR_FENCED", kFinal,
     "the transaction coordinator has been replaced by a newer one"},
    {"TRANSACTIONAL_ID_AUTHORIZATION_FAILED", kFinal, "no permission for this transactional id"},
    {"SECURITY_DISABLED", kFinal, "the broker has security switched off"},
    {"OPERATION_NOT_ATTEMPTED", kFinal,
     "not tried, because another part of the request failed first"},
    {"KAFKA_STORAGE_ERROR", kMetadata, "the broker's disk failed, or its log directory is offline"},
    {"LOG_DIR_NOT_FOUND", kFinal, "the broker has no such log directory"},
    {"SASL_AUTHENTICATION_FAILED", kFinal, "authentication failed"},
    {"UNKNOWN_PRODUCER_ID", kFinal,
     "the broker has forgotten this producer, for its records have been deleted"},
    {"REASSIGNMENT_IN_PROGRESS", kFinal, "the partition is being moved right now"},
    {"DELEGATION_TOKEN_AUTH_DISABLED", kFinal, "delegation tokens are switched off"},
    {"DELEGATION_TOKEN_NOT_FOUND", kFinal, "there is no such delegation token"},
    {"DELEGATION_TOKEN_OWNER_MISMATCH", kFinal, "the token belongs to somebody else"},
    {"DELEGATION_TOKEN_REQUEST_NOT_ALLOWED", kFinal,
     "delegation tokens cannot be used over this kind of connection"},
    {"DELEGATION_TOKEN_AUTHORIZATION_FAILED", kFinal, "no permission for this delegation token"},
    {"DELEGATION_TOKEN_EXPIRED", kFinal, "the delegation token has expired"},
    {"INVALID_PRINCIPAL_TYPE", kFinal, "there is no such type of principal"},
    {"NON_EMPTY_GROUP", kFinal, "the group still has members"},
    {"GROUP_ID_NOT_FOUND", kFinal, "there is no such group"},
    {"FETCH_SESSION_ID_NOT_FOUND", kRetry, "the broker has forgotten the fetch session"},
    {"INVALID_FETCH_SESSION_EPOCH", kRetry, "the fetch session is out of step"},
    {"LISTENER_NOT_FOUND", kMetadata,
     "the leader has no listener of the kind the client came in on"},
    {"TOPIC_DELETION_DISABLED", kFinal, "the broker does not allow topics to be deleted"},
    {"FENCED_LEADER_EPOCH", kMetadata,
     "the leader epoch is older than the broker's: the metadata is stale"},
    {"UNKNOWN_LEADER_EPOCH", kRetry,
     "the leader epoch is newer than the broker's: the broker is behind"},
    {"UNSUPPORTED_COMPRESSION_TYPE", kFinal,
     "the data is compressed in a way that this version of the request cannot carry"},
    {"STALE_BROKER_EPOCH", kFinal, "the broker has been registered anew since"},
    {"OFFSET_NOT_AVAILABLE", kRetry, "the new leader does not know its high watermark yet"},
    {"MEMBER_ID_REQUIRED", kFinal,
     "the member has to join again with the id that it was just given"},
    {"PREFERRED_LEADER_NOT_AVAILABLE", kMetadata, "the preferred leader is not available"},
    {"GROUP_MAX_SIZE_REACHED", kFinal, "the group is full"},
    {"FENCED_INSTANCE_ID", kFinal,
     "another instance with the same group.instance.id has taken over"},
    {"ELIGIBLE_LEADERS_NOT_AVAILABLE", kMetadata, "no replica that may lead is available"},
    {"ELECTION_NOT_NEEDED", kMetadata, "the leader is the right one already"},
    {"NO_REASSIGNMENT_IN_PROGRESS", kFinal, "the partition is not being moved"},
    {"GROUP_SUBSCRIBED_TO_TOPIC", kFinal, "the group still reads the topic"},
    {"INVALID_RECORD", kFinal, "the broker looked at a record and refused it"},
    {"UNSTABLE_OFFSET_COMMIT", kRetry, "transactional offsets are still pending"},
    {"THROTTLING_QUOTA_EXCEEDED", kRetry, "a quota is used up for now"},
    {"PRODUCER_FENCED", kFinal, "a newer producer with the same transactional id has taken over"},
    {"RESOURCE_NOT_FOUND", kFinal, "the request names something that does not exist"},
    {"DUPLICATE_RESOURCE", kFinal, "the request names the same thing twice"},
    {"UNACCEPTABLE_CREDENTIAL", kFinal, "the credential is not good enough"},
    {"INCONSISTENT_VOTER_SET", kFinal, "sender and receiver disagree on who the voters are"},
    {"INVALID_UPDATE_VERSION", kFinal, "the update version is not valid"},
    {"FEATURE_UPDATE_FAILED", kFinal, "the finalized features could not be updated"},
    {"PRINCIPAL_DESERIALIZATION_FAILURE", kFinal,
     "a forwarded request names its user in a way the broker cannot read"},
    {"SNAPSHOT_NOT_FOUND", kFinal, "there is no such snapshot"},
    {"POSITION_OUT_OF_RANGE", kFinal, "the position is not inside the snapshot"},
    {"UNKNOWN_TOPIC_ID", kMetadata, "the broker knows no topic of this id"},
    {"DUPLICATE_BROKER_REGISTRATION", kFinal, "the broker id is taken"},
    {"BROKER_ID_NOT_REGISTERED", kFinal, "no broker is registered under this id"},
    {"INCONSISTENT_TOPIC_ID", kMetadata,
     "the topic id is not the one the log was made with: the topic was recreated"},
    {"INCONSISTENT_CLUSTER_ID", kFinal, "the request was meant for another cluster"},
    {"TRANSACTIONAL_ID_NOT_FOUND", kFinal, "there is no such transactional id"},
    {"FETCH_SESSION_TOPIC_ID_ERROR", kRetry,
     "topic ids were used in one place of a fetch session and names in another"},
    {"INELIGIBLE_REPLICA", kFinal, "a replica that may not be in sync was proposed to be"},
    {"NEW_LEADER_ELECTED", kFinal, "the change was made, but the leader is another one now"},
    {"OFFSET_MOVED_TO_TIERED_STORAGE", kFinal, "the offset is in remote storage only"},
    {"FENCED_MEMBER_EPOCH", kFinal,
     "the member's epoch is out of date; it has lost its partitions and has to join again"},
    {"UNRELEASED_INSTANCE_ID", kFinal, "another member still holds this group.instance.id"},
    {"UNSUPPORTED_ASSIGNOR", kFinal, "the group does not support this assignor"},
    {"STALE_MEMBER_EPOCH", kFinal,
     "the member's epoch is out of date; the next heartbeat brings the new one"},
    {"MISMATCHED_ENDPOINT_TYPE", kFinal, "the request went to the wrong kind of endpoint"},
    {"UNSUPPORTED_ENDPOINT_TYPE", kFinal, "this kind of endpoint is not supported"},
    {"UNKNOWN_CONTROLLER_ID", kFinal, "there is no controller of this id"},
    {"UNKNOWN_SUBSCRIPTION_ID", kFinal, "the telemetry subscription is not valid any more"},
    {"TELEMETRY_TOO_LARGE", kFinal, "the telemetry push is too large"},
    {"INVALID_REGISTRATION", kFinal, "the controller refuses the broker's registration"},
    {"TRANSACTION_ABORTABLE", kFinal,
     "the transaction cannot go on but may be aborted, and then a new one begun"},
    {"INVALID_RECORD_STATE", kFinal, "the record cannot be acknowledged in the state it is in"},
    {"SHARE_SESSION_NOT_FOUND", kRetry, "the broker has forgotten the share session"},
    {"INVALID_SHARE_SESSION_EPOCH", kRetry, "the share session is out of step"},
    {"FENCED_STATE_EPOCH", kFinal, "the coordinator's state has another epoch"},
    {"INVALID_VOTER_KEY", kFinal, "the voter's key is not the receiver's"},
    {"DUPLICATE_VOTER", kFinal, "the voter is a voter already"},
    {"VOTER_NOT_FOUND", kFinal, "there is no such voter"},
    {"INVALID_REGULAR_EXPRESSION", kFinal, "the regular expression is not valid"},
    {"REBOOTSTRAP_REQUIRED", kFinal,
     "the client's view of the cluster is too old; it has to start from its bootstrap list"},
    {"STREAMS_INVALID_TOPOLOGY", kFinal, "the streams topology is not valid"},
    {"STREAMS_INVALID_TOPOLOGY_EPOCH", kFinal, "the epoch of the streams topology is not valid"},
    {"STREAMS_TOPOLOGY_FENCED", kFinal, "the epoch of the streams topology is out of date"},
    {"SHARE_SESSION_LIMIT_REACHED", kRetry, "the broker has as many share sessions as it allows"},
    {"GROUP_DELETION_FAILED", kFinal, "the group was not deleted; its own message says why"},
    {"STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED", kFinal,
     "the description of the streams topology was not taken; the message says why"},
    {"CONTROLLER_ID_NOT_REGISTERED", kFinal, "no controller is registered under this id"},
};
constexpr int kFirst = -1;
static_assert(std::size(kEntries) == static_cast<int>(kLastBrokerErrc) - kFirst + 1);

constexpr Entry kUnknown{"UNKNOWN", kFinal, "an error code that is newer than this client"};

const Entry& entry(BrokerErrc code) {
  const int index = static_cast<int>(code) - kFirst;
  const bool known = index >= 0 && index < static_cast<int>(std::size(kEntries));
  return known ? kEntries[index] : kUnknown;
}

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "kafka"; }
  std::string message(int number) const override {
    const Entry& e = entry(static_cast<BrokerErrc>(number));
    return std::string(e.name) + " (" + std::to_string(number) + "): " + e.text;
  }
};

}  // namespace

bool is_retriable(BrokerErrc code) { return entry(code).retry != kFinal; }
bool is_invalid_metadata(BrokerErrc code) { return entry(code).retry == kMetadata; }
const char* broker_error_name(BrokerErrc code) { return entry(code).name; }
const char* broker_error_text(BrokerErrc code) { return entry(code).text; }

const std::error_category& broker_category() {
  static const Category category;
  return category;
}

std::error_code make_error_code(BrokerErrc code) {
  return {static_cast<int>(code), broker_category()};
}

}  // namespace tern::kafka

// InitProducerId: the id and epoch under which an idempotent producer numbers its batches.
#ifndef TERN_PROTOCOL_KAFKA_MESSAGES_INIT_PRODUCER_ID_H_
#define TERN_PROTOCOL_KAFKA_MESSAGES_INIT_PRODUCER_ID_H_

#include <cstdint>

#include "protocol/kafka/codec.h"

namespace tern::kafka {

struct InitProducerIdResponse;

inline constexpr Api kInitProducerIdApi{
    22, "InitProducerId", {0, 6}, /*flexible_from=*/2, /*unstable_from=*/6};

struct InitProducerIdRequest {
  static constexpr Api api = kInitProducerIdApi;
  using Response = InitProducerIdResponse;

  Text transactional_id;
  std::int32_t transaction_timeout_ms = 0;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;
  bool enable2_pc = false;
  bool keep_prepared_txn = false;

  template <class V>
  static constexpr void describe(V& field) {
    using M = InitProducerIdRequest;
    field("transactional_id", &M::transactional_id, since(0).nullable(0));
    field("transaction_timeout_ms", &M::transaction_timeout_ms, since(0));
    field("producer_id", &M::producer_id, since(3));
    field("producer_epoch", &M::producer_epoch, since(3));
    field("enable2_pc", &M::enable2_pc, since(6));
    field("keep_prepared_txn", &M::keep_prepared_txn, since(6));
  }
  friend bool operator==(const InitProducerIdRequest&, const InitProducerIdRequest&) = default;
};

struct InitProducerIdResponse {
  static constexpr Api api = kInitProducerIdApi;

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = 0;
  std::int64_t ongoing_txn_producer_id = -1;
  std::int16_t ongoing_txn_producer_epoch = -1;

  template <class V>
  static constexpr void describe(V& field) {
    using M = InitProducerIdResponse;
    field("throttle_time_ms", &M::throttle_time_ms, since(0).ignorable());
    field("error_code", &M::error_code, since(0));
    field("producer_id", &M::producer_id, since(0));
    field("producer_epoch", &M::producer_epoch, since(0));
    field("ongoing_txn_producer_id", &M::ongoing_txn_producer_id, since(6));
    field("ongoing_txn_producer_epoch", &M::ongoing_txn_producer_epoch, since(6));
  }
  friend bool operator==(const InitProducerIdResponse&, const InitProducerIdResponse&) = default;
};

}  // namespace tern::kafka

#endif  // TERN_PROTOCOL_KAFKA_MESSAGES_INIT_PRODUCER_ID_H_

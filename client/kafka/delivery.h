// What a producer tells about records it was given.
#ifndef TERN_CLIENT_KAFKA_DELIVERY_H_
#define TERN_CLIENT_KAFKA_DELIVERY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include "client/core/error.h"

namespace tern::kafka {

// What became of one record.
//
// With an error, the error code that comes with it says how certain it is: ClientErrc::not_written
// (the broker has certainly not stored it), maybe_written (it may have), or why it was never taken
// (queue_full, closed, record_too_large, ...). `cause` says what happened: the broker's code, a
// system error, a timeout; message() says it in words.
struct Delivery {
  std::string_view topic;          // valid while the producer lives
  std::int32_t partition = -1;     // -1: none had been chosen yet
  std::int64_t offset = -1;        // -1: unknown (acks = none, or stored by an earlier try)
  std::int64_t timestamp_ms = -1;  // the record's, or the broker's if the topic uses LogAppendTime
  std::error_code cause;
  std::shared_ptr<const std::string> text;

  std::string message() const { return text ? *text : cause.message(); }
};

// What became of one batch: the cheapest way to learn of deliveries. Valid during the call only.
struct BatchReport {
  std::string_view topic;
  std::int32_t partition = -1;
  std::int64_t base_offset = -1;  // of the first record; the others follow. -1: unknown
  std::size_t count = 0;
  std::int64_t timestamp_ms = -1;  // the latest in the batch, or the broker's with LogAppendTime
  std::error_code error;           // not_written or maybe_written; none: stored
  std::error_code cause;
  std::string_view text;

  std::string message() const { return text.empty() ? cause.message() : std::string(text); }
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_DELIVERY_H_

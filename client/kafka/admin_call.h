// One request as an operation of AdminCore, for the calls of Admin. Internal.
#ifndef TERN_CLIENT_KAFKA_ADMIN_CALL_H_
#define TERN_CLIENT_KAFKA_ADMIN_CALL_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "client/kafka/admin_core.h"

namespace tern::kafka::internal {

// Where an answer is from.
struct AdminSource {
  std::int16_t version;
  std::int32_t node_id;
};

struct AdminCall {
  std::uint64_t id = 0;  // for cancelling
  std::string what;      // in errors
  AdminCore::Target target = {};
  std::int16_t min_version = 0;
  std::int16_t max_version = std::numeric_limits<std::int16_t>::max();
};

// `make(version, arena)` builds the request, `take(reply, source, result)` reads the answer into
// an empty result.
template <class Request, class Result, class Make, class Take>
void run(AdminCore& core, AdminCall call, Make make, Take take, Completion<Failure, Result> done) {
  auto result = std::make_shared<Result>();
  auto send = [make = std::move(make), take = std::move(take), result, min = call.min_version,
               max = call.max_version](Connection& connection, AdminCore::Finished finished) {
    auto on_reply = [take, result, node_id = connection.node_id(), finished = std::move(finished)](
                        const Failure& why, const typename Request::Response* reply,
                        std::int16_t version, Now) {
      if (why) return finished({why, why.code != ClientErrc::unsupported_version});
      *result = Result();
      finished(take(*reply, AdminSource{version, node_id}, *result));
    };
    auto* request = new SimpleCall<Request>(make, std::move(on_reply));
    request->require_version(min);
    request->limit_version(max);
    connection.send(*request);
  };
  auto end = [result, done = std::move(done)](Failure failure) mutable {
    done(std::move(failure), std::move(*result));
  };
  core.run(call.id, std::move(call.what), std::move(call.target), Duration::zero(), std::move(send),
           std::move(end));
}

// The broker's words, or those of the code.
inline std::string words_of(const std::error_code& error, const wire::Text& message) {
  return message.is_null() || message.empty() ? error.message() : message.str();
}

}  // namespace tern::kafka::internal

#endif  // TERN_CLIENT_KAFKA_ADMIN_CALL_H_

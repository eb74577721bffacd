// Which APIs the embedded broker has, and how a request gets to its handler.
#ifndef TERN_TESTS_BROKER_DISPATCH_H_
#define TERN_TESTS_BROKER_DISPATCH_H_

#include <cstdint>
#include <span>

#include "protocol/kafka/api.h"
#include "tests/broker/request.h"

namespace tern::broker {

struct Handler {
  kafka::Api api;
  Outcome (*run)(Request&);
};

std::span<const Handler> handlers();
const Handler* find_handler(std::int16_t api_key);

// What the cluster lets be offered of this API now; empty if nothing.
kafka::VersionRange offered(const KafkaCluster& cluster, const Handler& handler);

// Decodes the request (the first time), runs its handler and encodes the answer.
Outcome dispatch(Request& request);

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_DISPATCH_H_

// One request on its way through the embedded broker, and what a handler sees of the world.
#ifndef TERN_TESTS_BROKER_REQUEST_H_
#define TERN_TESTS_BROKER_REQUEST_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/core/frame.h"
#include "client/core/time.h"
#include "protocol/kafka/api.h"
#include "protocol/kafka/errors.h"
#include "protocol/wire/arena.h"
#include "protocol/wire/bytes.h"
#include "tests/broker/cluster.h"
#include "tests/broker/faults.h"

namespace tern::broker {

class KafkaBroker;

// What becomes of a request after its handler ran.
enum class Outcome {
  answer,     // the response is filled in
  no_answer,  // none is to be sent (Produce with acks 0)
  wait,       // call the handler again when something has changed, or at Request::deadline
  close       // the connection is to be closed
};

// What a handler keeps while it waits.
struct RequestState {
  virtual ~RequestState() = default;
};

// A run of bytes to be written, and what keeps them alive.
struct OutPiece {
  FrameRef frame;
  const std::byte* data = nullptr;
  std::size_t size = 0;
};

struct Request {
  KafkaBroker* broker = nullptr;
  KafkaCluster* cluster = nullptr;
  std::string peer_host;
  kafka::RequestHeader header;  // views into the frame
  std::span<const std::byte> body;
  FrameRef frame;
  bool owns_frame = false;  // nothing else lies in the frame: it may be kept and patched
  wire::Arena arena{0};     // decoded request, and arrays of the response
  Now now;
  void* message = nullptr;  // decoded, in the arena
  std::unique_ptr<RequestState> state;
  Time deadline = kNever;
  std::int32_t throttle_ms = 0;

  // Faults that may concern this request, and those that did.
  std::vector<std::shared_ptr<Armed>> faults;
  std::vector<const Armed*> struck;
  std::vector<const Armed*> passed;

  // The records of the response that are passed on by reference: one entry for each records field
  // that the encoder leaves out, in order.
  std::vector<std::vector<OutPiece>> spliced;
  std::vector<OutPiece> answer;  // the encoded frame

  std::int16_t version() const { return header.api_version; }

  // An array for the response. Default-constructed elements.
  template <class T>
  std::span<T> make(std::size_t n) {
    return {arena.make_array<T>(n), n};
  }
  // A copy of a string that lives as long as the request.
  wire::Text keep(std::string_view text);
  // The same for a message that may quote the client; null if there is none. Cut where a string of
  // the protocol could not carry it.
  wire::Text keep_message(std::string_view text);

  // The error that a test wants to see for this partition (partition kAny: for the topic as a
  // whole), or for the whole answer. `apply` is set if the request is to be carried out all the
  // same.
  kafka::BrokerErrc injected(std::string_view topic, std::int32_t partition, bool* apply = nullptr);
  kafka::BrokerErrc injected_whole(bool* apply = nullptr);

 private:
  bool strikes(const std::shared_ptr<Armed>& armed, std::string_view topic, std::int32_t partition);
};

inline std::int16_t code(kafka::BrokerErrc error) { return static_cast<std::int16_t>(error); }

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_REQUEST_H_

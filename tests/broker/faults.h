// What a test can make the embedded broker do wrong, and what it gets to see.
#ifndef TERN_TESTS_BROKER_FAULTS_H_
#define TERN_TESTS_BROKER_FAULTS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "client/core/time.h"
#include "protocol/kafka/errors.h"

namespace tern::broker {

// Which broker releases can be played: each offers the APIs and highest versions of that release.
enum class Release { kafka_2_1, kafka_2_8, kafka_3_9, newest };

// One request as it arrived.
struct RequestInfo {
  std::int32_t node = 0;
  std::int16_t api_key = 0;
  std::int16_t api_version = 0;
  std::int32_t correlation_id = 0;
  std::string_view client_id;  // valid during the call only
  std::size_t bytes = 0;       // of the whole frame, without its length prefix
};

inline constexpr int kAlways = -1;
inline constexpr std::int32_t kAny = -1;

// A fault for requests of one API. Everything that is set happens; with nothing set it only counts.
// Several injections for one API are tried in the order in which they were given, and the first
// that matches a request is the one that is used.
struct Injection {
  // --- which requests
  int times = 1;                                 // how many requests in all; kAlways for no limit
  int skip = 0;                                  // this many matching requests pass unharmed first
  std::int32_t node = kAny;                      // only those that arrive at this node
  std::function<bool(const RequestInfo&)> when;  // only those for which it returns true

  // --- an error code in the answer
  kafka::BrokerErrc error = kafka::BrokerErrc::none;
  // Only for this topic ("": every topic of the request) and this partition. A request in which
  // they do not occur is not counted, and not closed or delayed after carrying out either.
  std::string topic;
  std::int32_t partition = kAny;
  bool whole_answer = false;  // put the error at the top of the answer (Fetch v7+, ...) instead
  bool apply = false;         // the request is carried out although the answer is the error

  // --- time
  Duration delay{};         // before the request is carried out (whatever its topics)
  Duration answer_delay{};  // between carrying out and answering

  // --- the connection
  bool close_before_apply = false;  // closed instead of carrying out (whatever its topics)
  bool close_after_apply = false;   // carried out, then closed instead of answering
  bool no_answer = false;  // carried out, never answered; the connection stays open and blocked
  std::vector<std::byte> raw_answer;  // carried out, then these bytes are sent instead of the frame

  // Readable ways to make the common ones.
  static Injection with_error(kafka::BrokerErrc code, int times = 1) {
    Injection injection;
    injection.error = code;
    injection.times = times;
    return injection;
  }
  static Injection with_delay(Duration before_apply, int times = 1) {
    Injection injection;
    injection.delay = before_apply;
    injection.times = times;
    return injection;
  }
  static Injection closing_before(int times = 1) {
    Injection injection;
    injection.close_before_apply = true;
    injection.times = times;
    return injection;
  }
  static Injection closing_after(int times = 1) {
    Injection injection;
    injection.close_after_apply = true;
    injection.times = times;
    return injection;
  }
};

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_FAULTS_H_

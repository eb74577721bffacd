// rabbitmq-c doing the rows of bench/compare amqp, set as equal to the others as it can be (see
// bench/README.md). Built only on request: Debian's librabbitmq-dev.
//
//   rabbitmqc_peer --do publish|consume --broker HOST:PORT --records N --size BYTES
//                  [--window MESSAGES] [--prefetch MESSAGES]
//
// It has no tracking of confirms: the program counts them, and reads them when a window is full
// until half of it is free. Consuming: one multiple ack for half a prefetch.
#include <amqp.h>
#include <amqp_tcp_socket.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "bench/measure.h"

namespace tern::bench {
namespace {

constexpr amqp_channel_t kChannel = 1;

[[noreturn]] void fail(const std::string& what, int status = AMQP_STATUS_OK) {
  std::fprintf(stderr, "%s: %s\n", what.c_str(), amqp_error_string2(status));
  std::exit(1);
}
void check(int status, const char* what) {
  if (status != AMQP_STATUS_OK) fail(what, status);
}

amqp_bytes_t bytes_of(std::string_view text) {
  return {text.size(), const_cast<char*>(text.data())};
}

class Connection {
 public:
  explicit Connection(const std::string& broker) : state_(amqp_new_connection()) {
    amqp_socket_t* const socket = amqp_tcp_socket_new(state_);
    const std::size_t colon = broker.rfind(':');
    check(amqp_socket_open(socket, broker.substr(0, colon).c_str(),
                           std::atoi(broker.c_str() + colon + 1)),
          "connect");
    check(amqp_login(state_, "/", 2047, 131'072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest"),
          "login");
    amqp_channel_open(state_, kChannel);
    check(amqp_get_rpc_reply(state_), "channel.open");
  }

  void publish(std::int64_t messages, const Payloads& payloads, std::int64_t window);
  void consume(std::int64_t messages, int prefetch);
  void select_confirms() {
    amqp_confirm_select(state_, kChannel);
    check(amqp_get_rpc_reply(state_), "confirm.select");
  }
  void start_consuming(std::uint16_t prefetch) {
    amqp_basic_qos(state_, kChannel, 0, prefetch, 0);
    check(amqp_get_rpc_reply(state_), "basic.qos");
    amqp_basic_consume(state_, kChannel, bytes_of("bench"), amqp_empty_bytes, 0, 0, 0,
                       amqp_empty_table);
    check(amqp_get_rpc_reply(state_), "basic.consume");
  }
  std::uint64_t sum() const { return sum_; }

 private:
  static void check(int status, const char* what) { bench::check(status, what); }
  static void check(const amqp_rpc_reply_t& reply, const char* what) {
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) fail(what, reply.library_error);
  }
  void await_confirms(std::int64_t upto);

  amqp_connection_state_t state_;
  std::int64_t confirmed_ = 0;
  std::uint64_t sum_ = 0;
};

void Connection::await_confirms(std::int64_t upto) {
  while (confirmed_ < upto) {
    amqp_frame_t frame;
    check(amqp_simple_wait_frame(state_, &frame), "confirms");
    if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD) {
      fail("no ack");
    }
    const auto* const ack = static_cast<const amqp_basic_ack_t*>(frame.payload.method.decoded);
    const auto tag = static_cast<std::int64_t>(ack->delivery_tag);
    confirmed_ = ack->multiple ? std::max(confirmed_, tag) : confirmed_ + 1;
    amqp_maybe_release_buffers(state_);
  }
}

void Connection::publish(std::int64_t messages, const Payloads& payloads, std::int64_t window) {
  const amqp_bytes_t key = bytes_of("bench");
  for (std::int64_t sent = 0; sent < messages;) {
    check(amqp_basic_publish(state_, kChannel, amqp_empty_bytes, key, 0, 0, nullptr,
                             bytes_of(payloads[static_cast<std::uint64_t>(sent)])),
          "publish");
    ++sent;
    if (sent - confirmed_ == window) await_confirms(sent - window / 2);
  }
  await_confirms(messages);
}

void Connection::consume(std::int64_t messages, int prefetch) {
  std::uint64_t acked = 0;
  for (std::int64_t i = 1; i <= messages; ++i) {
    amqp_maybe_release_buffers(state_);
    amqp_envelope_t envelope;
    check(amqp_consume_message(state_, &envelope, nullptr, 0), "consume");
    const std::uint64_t tag = envelope.delivery_tag;
    const auto* const body = static_cast<const unsigned char*>(envelope.message.body.bytes);
    sum_ += body[envelope.message.body.len - 1] + envelope.routing_key.len;
    amqp_destroy_envelope(&envelope);
    if (i == messages || tag - acked == static_cast<std::uint64_t>(std::max(1, prefetch / 2))) {
      check(amqp_basic_ack(state_, kChannel, tag, 1), "ack");
      acked = tag;
    }
  }
}

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  using namespace tern::bench;
  Options options(argc, argv);
  const std::string broker = options.text("--broker", "127.0.0.1:5672");
  const std::string what = options.text("--do", "publish");
  const std::int64_t messages = options.number("--records", 100'000);
  const auto size = static_cast<std::size_t>(options.number("--size", 100));
  const std::int64_t window = options.number("--window", 1000);
  const auto prefetch = static_cast<std::uint16_t>(options.number("--prefetch", 1000));
  options.done();
  const Payloads payloads(size);
  Connection connection(broker);
  if (what == "publish") {
    connection.select_confirms();
  } else {
    connection.start_consuming(prefetch);
  }
  const Clock from = Clock::read();
  if (what == "publish") {
    connection.publish(messages, payloads, window);
  } else {
    connection.consume(messages, prefetch);
  }
  const std::string name = std::string("rabbitmq-c ") + amqp_version();
  report(name.c_str(), messages, from, Clock::read(), -1);
  std::fprintf(stderr, "checksum %llx\n", static_cast<unsigned long long>(connection.sum()));
  return 0;
}

// AmqpSession: one connection to an embedded AMQP broker: its handshake, its channels, and what is
// to be written.
#ifndef TERN_TESTS_BROKER_AMQP_SESSION_H_
#define TERN_TESTS_BROKER_AMQP_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "client/core/ports.h"
#include "protocol/amqp/frame.h"
#include "protocol/amqp/methods/all.h"
#include "protocol/amqp/properties.h"
#include "tests/broker/amqp_broker.h"
#include "tests/broker/amqp_store.h"

namespace tern::broker {

class AmqpChannel;

class AmqpSession final : public Link {
 public:
  AmqpSession(AmqpBroker& broker, LinkId id, std::uint64_t number);
  ~AmqpSession();
  AmqpSession(const AmqpSession&) = delete;
  AmqpSession& operator=(const AmqpSession&) = delete;

  std::span<std::byte> read_space() override;
  void on_read(std::size_t n, Now now) override;
  void gather(BufferList& out) override;
  void on_written(std::size_t n, Now now) override;
  void on_open(Now) override {}
  void on_closed(Stage, std::error_code, Now) override;

  void step(Now now);
  Time next_deadline() const;
  bool closed() const { return closed_; }  // or about to be
  bool gone() const { return gone_; }      // the network has let go of it
  void reset();
  void tell_blocked(bool blocked);
  void close(amqp::ReplyErrc code, const std::string& text, amqp::MethodId method = {});
  void refuse(const amqp::PayloadError& error);

  // For the channels.
  AmqpBroker& broker() { return broker_; }
  AmqpStore& store() { return broker_.store(); }
  std::uint64_t number() const { return number_; }
  const std::string& user() const { return user_; }
  bool hears_of_cancels() const { return hears_of_cancels_; }
  std::uint32_t frame_max() const { return frame_max_; }
  bool has_room() const;
  template <class M>
  void send(std::uint16_t channel, const M& message) {
    const auto size = encoded_size(message);
    if (!size) return;
    wire::Writer writer(room(*size + amqp::kFrameOverheadBytes));
    amqp::encode_frame(amqp::FrameType::method, channel, message, *size, writer);
  }
  void send_content(std::uint16_t channel, const AmqpMessage& message);
  void remove(std::uint16_t channel);

 private:
  friend struct AmqpConnectionMethods;
  enum class State : std::uint8_t { header, login, tuning, opening, ready, closing, ending };

  std::span<std::byte> room(std::size_t n);
  void on_frame(const amqp::Frame& frame);
  void on_connection_method(wire::Bytes payload);
  void on_start_ok(const amqp::ConnectionStartOk& ok);
  void on_tune_ok(const amqp::ConnectionTuneOk& ok);
  void on_channel_frame(const amqp::Frame& frame);
  void greet();
  void end_channels();
  void set_reading();

  AmqpBroker& broker_;
  const LinkId id_;
  const std::uint64_t number_;
  State state_ = State::header;
  bool closed_ = false;
  bool gone_ = false;
  bool close_when_written_ = false;
  bool paused_ = false;
  bool publishes_ = false;
  std::string user_;
  bool hears_of_cancels_ = false;  // as it has said
  bool hears_of_blocking_ = false;
  amqp::FrameSplitter splitter_;
  std::vector<std::byte> in_;
  std::size_t in_used_ = 0;
  // The front is being written and stays as it is; the back is being filled.
  std::vector<std::byte> out_;
  std::size_t out_done_ = 0;
  std::vector<std::byte> next_out_;
  std::uint16_t channel_max_ = 0;
  std::uint32_t frame_max_ = amqp::kMinFrameMax;
  Duration heartbeat_{};
  Time last_heard_ = kNever;
  Time last_sent_ = kNever;
  Time close_deadline_ = kNever;  // whoever is asked to close, or has asked, is waited for so long
  std::map<std::uint16_t, std::unique_ptr<AmqpChannel>> channels_;
};

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_AMQP_SESSION_H_

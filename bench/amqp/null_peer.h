// NullPeer: one connection of an AMQP broker that does almost nothing, without the way bytes come
// and go: over sockets it is null_broker.cc, in memory null_network.h. It confirms what is
// published without keeping a byte, with one multiple ack for all that came together, and delivers
// from messages made in advance, up to the prefetch. Independent of the library. One thread.
#ifndef TERN_BENCH_AMQP_NULL_PEER_H_
#define TERN_BENCH_AMQP_NULL_PEER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <vector>

#include "bench/amqp/wire.h"

namespace tern::bench::amqp {

class NullPeer {
 public:
  // What every queue is like.
  struct Settings {
    std::size_t size = 100;  // of the messages that are delivered
    std::int64_t limit = 0;  // of them, for each consumer; 0: endless
    std::uint32_t frame_max = 131'072;
  };
  // Counted over all connections, whose threads may be others.
  struct Totals {
    std::atomic<std::int64_t> published{0}, published_bytes{0}, publish_reads{0}, delivered{0},
        ack_frames{0}, acked{0}, faults{0};
  };
  class Io {
   public:
    // All of it, or false: the connection is over.
    virtual bool send(const char* data, std::size_t size) = 0;

   protected:
    ~Io() = default;
  };

  NullPeer(const Settings& settings, Totals& totals, Io& io);
  ~NullPeer();

  // Where bytes that come are to go; never empty.
  std::span<char> space();
  // So many have come: works on them, and answers. False: the connection is over.
  bool added(std::size_t n);

 private:
  class Deliveries;

  bool take_frames();
  bool on_frame(std::uint8_t type, std::uint16_t channel, const char* p, std::size_t size);
  bool on_method(std::uint16_t channel, std::uint32_t id, const char* p);
  void on_ack(std::uint64_t tag, bool multiple);
  bool flush();
  bool deliver();
  bool greet();
  bool fault(const char* what) {
    std::fprintf(stderr, "null broker: %s\n", what);
    ++totals_.faults;
    return false;
  }
  template <class... Fill>
  bool answer(std::uint16_t channel, std::uint32_t id, Fill... fill) {
    out_end_ = put_method(out_end_, channel, id, fill...);
    return true;
  }

  const Settings settings_;
  Totals& totals_;
  Io& io_;
  std::vector<char> in_;
  std::size_t begin_ = 0, end_ = 0;
  std::size_t skip_ = 0;  // of a body that has not come yet, its end octet included
  std::vector<char> out_;
  char* out_end_ = out_.data();
  bool greeted_ = false;
  bool over_ = false;
  // One channel publishes and one consumes, at most.
  std::uint16_t publishing_ = 0;
  bool confirms_ = false;
  std::uint64_t received_ = 0, confirmed_ = 0;
  std::uint64_t body_left_ = 0;
  std::uint32_t frame_max_;
  std::int64_t prefetch_ = 0;
  std::unique_ptr<Deliveries> deliveries_;
  std::int64_t sent_ = 0, settled_ = 0;
};

}  // namespace tern::bench::amqp

#endif  // TERN_BENCH_AMQP_NULL_PEER_H_

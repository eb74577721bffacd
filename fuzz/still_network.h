// A network for targets that feed one link by hand: in it nothing happens by itself.
#ifndef TERN_FUZZ_STILL_NETWORK_H_
#define TERN_FUZZ_STILL_NETWORK_H_

#include <chrono>
#include <cstdint>
#include <system_error>

#include "client/core/ports.h"

namespace tern::fuzz {

// One link at a time.
class StillNetwork final : public Network {
 public:
  LinkId open(const Endpoint&, Link& to) override {
    link = &to;
    closing = false;
    return {1, ++opened};
  }
  void close(LinkId) override { closing = true; }
  ListenerId listen(const Endpoint&, Acceptor&, std::error_code& error, Endpoint*) override {
    error = std::make_error_code(std::errc::not_supported);
    return {};
  }
  void close_listener(ListenerId) override {}
  void want_write(LinkId) override {}
  void pause_read(LinkId, bool) override {}
  void wake() override {}
  bool on_executor() const override { return true; }
  Now now() const override { return time; }
  std::int64_t wall_ms() const override { return time.wall_ms; }

  Link* link = nullptr;
  bool closing = false;
  std::uint32_t opened = 0;
  Now time{Time(std::chrono::hours(1)), 1'700'000'000'000};
};

}  // namespace tern::fuzz

#endif  // TERN_FUZZ_STILL_NETWORK_H_

// A Network whose links are TLS streams over those of another one, with the same ids. Not for
// users: openssl.h.
//
// Belongs to the executor of the network underneath. Memory: OpenSSL's own and 64 KiB for reading
// for each link, and twice what is encrypted at a time (64 KiB) once it writes that much.
#ifndef TERN_CLIENT_TLS_NETWORK_H_
#define TERN_CLIENT_TLS_NETWORK_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "client/core/ports.h"
#include "client/core/stream.h"
#include "client/core/timers.h"
#include "client/tls/context.h"

namespace tern::tls {

class TlsStream;

class TlsNetwork final : public StreamNetwork {
 public:
  TlsNetwork(Network& network, Timers& timers, std::shared_ptr<const Context> context);
  ~TlsNetwork() override;
  TlsNetwork(const TlsNetwork&) = delete;
  TlsNetwork& operator=(const TlsNetwork&) = delete;

  LinkId open(const Endpoint& endpoint, Link& link) override;
  // Says goodbye if the network takes it; what waits behind a full socket is given up.
  void close(LinkId id) override;
  ListenerId listen(const Endpoint& endpoint, Acceptor& acceptor, std::error_code& error,
                    Endpoint* bound = nullptr) override;
  void close_listener(ListenerId) override {}
  void want_write(LinkId id) override;
  void pause_read(LinkId id, bool paused) override;
  std::string_view why_closed() const override { return why_closed_; }
  void wake() override { network_.wake(); }
  bool on_executor() const override { return network_.on_executor(); }
  Now now() const override { return network_.now(); }
  std::int64_t wall_ms() const override { return network_.wall_ms(); }

 private:
  friend class TlsStream;
  TlsStream* find(LinkId id) const;

  Network& network_;
  Timers& timers_;
  const std::shared_ptr<const Context> context_;
  std::vector<std::unique_ptr<TlsStream>> streams_;  // by LinkId::index
  std::string why_closed_;
  BufferList pieces_;                                         // what is being encrypted
  std::array<std::byte, SSL3_RT_MAX_PLAIN_LENGTH> record_{};  // small pieces of it, put together
};

}  // namespace tern::tls

#endif  // TERN_CLIENT_TLS_NETWORK_H_

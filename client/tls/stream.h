// One TLS stream: a Link to the network underneath, and the one that drives the engine's Link.
// Bytes go through OpenSSL in memory: what was read lies in `in_` until it is taken, what is to be
// written is gathered in `later_`, and lies still in `out_` while it is being written.
#ifndef TERN_CLIENT_TLS_STREAM_H_
#define TERN_CLIENT_TLS_STREAM_H_

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "client/core/ports.h"
#include "client/core/timers.h"
#include "client/tls/context.h"
#include "client/tls/network.h"

namespace tern::tls {

class TlsStream final : public Link {
 public:
  TlsStream(TlsNetwork& owner, const Endpoint& peer, Link& link);
  ~TlsStream() = default;
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // What the engine wants.
  void close();
  void want_write();
  void pause_read(bool paused);

  // Link, for the network underneath.
  std::span<std::byte> read_space() override;
  void on_read(std::size_t n, Now now) override;
  void gather(BufferList& out) override;
  void on_written(std::size_t n, Now now) override;
  void on_open(Now now) override;
  void on_closed(Stage stage, std::error_code why, Now now) override;

  LinkId id;  // set once it is known

 private:
  friend struct StreamBio;

  enum class State : std::uint8_t {
    connecting,
    handshake,
    open,
    parting,  // it is over; what is left is to be written, alert or close_notify included
    closing,  // the network was told to close
  };

  bool set_up();
  bool set_name();
  void handshake(Now now);
  void read(Now now);
  std::size_t decrypt(std::span<std::byte> space);
  void encrypt();
  bool write(const void* data, std::size_t size);
  bool flush_record();
  bool write_record(const std::byte* data, std::size_t size);
  bool speaks_tls();
  void fail_with_openssl();
  void end(Stage stage, std::error_code why, std::string words);
  void part();
  void close_below();
  void write_later();
  void on_timer(Now now);
  static int on_verify(int accepted, X509_STORE_CTX* store);
  void note_refusal(X509_STORE_CTX* store);

  TlsNetwork& owner_;
  const Endpoint peer_;
  Link& link_;
  std::string name_;  // that the certificate has to have
  State state_ = State::connecting;
  Owned<SSL, SSL_free> ssl_;
  bool paused_ = false;
  bool write_wanted_ = false;  // before it was open
  bool closed_by_engine_ = false;
  bool heard_ = false;  // something has arrived

  std::vector<std::byte> in_;
  std::size_t in_begin_ = 0;
  std::size_t in_end_ = 0;
  int read_error_ = 0;  // what SSL_get_error() said after decrypt()

  std::vector<std::byte> out_;
  std::size_t out_written_ = 0;
  std::vector<std::byte> later_;
  std::size_t plain_ = 0;        // bytes of the engine's link that `out_` has in it
  std::size_t record_size_ = 0;  // of what is put together in the owner's record

  Stage stage_ = Stage::tls;  // of the end, with why_ and words_, once that is known
  std::error_code why_;
  std::string words_;
  std::string refusal_;  // of a certificate
  Timer timer_;
};

}  // namespace tern::tls

#endif  // TERN_CLIENT_TLS_STREAM_H_

// The two ports between an engine and the world: Link (what the engine gives) and Network (what it
// is given), and Machine, the engine as its driver sees it.
//
// Threading: everything here except Network::wake() and Network::on_executor() is called on the
// driver's executor only.
//
// The three rules that keep engines simple:
//  1. A Network never calls a Link from inside one of its own functions: open(), close(),
//  want_write()
//     return first, the event comes later.
//  2. Spans given by read_space() and gather() stay valid and unchanged until the matching
//  on_read(),
//     on_written() or on_closed(), even if what they belong to has timed out meanwhile.
//  3. After each burst of events the driver calls Machine::step() once, then run_completions().
//  User
//     code runs only from run_completions(), so an engine is never re-entered.
#ifndef TERN_CLIENT_CORE_PORTS_H_
#define TERN_CLIENT_CORE_PORTS_H_

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include "client/core/time.h"

namespace tern {

struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// "host:port", with brackets round an IPv6 address.
std::string to_string(const Endpoint& endpoint);

// Names one link for as long as it lives; the generation makes an id of the past harmless.
struct LinkId {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;  // 0: no link
  explicit operator bool() const { return generation != 0; }
  friend auto operator<=>(const LinkId&, const LinkId&) = default;
};

struct ListenerId {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;
  explicit operator bool() const { return generation != 0; }
  friend auto operator<=>(const ListenerId&, const ListenerId&) = default;
};

// How far a link had come when it ended.
enum class Stage { dns, tcp, tls, sasl, protocol };
const char* to_string(Stage stage);

// The pieces of one gathered write, in order.
class BufferList {
 public:
  static constexpr std::size_t kMaxPieces = 1024;  // IOV_MAX on Linux
  struct Piece {                                   // laid out as struct iovec
    const void* data;
    std::size_t size;
  };

  // False when the list is full; the piece was not taken.
  bool add(const void* data, std::size_t size) {
    if (count_ == kMaxPieces) return false;
    if (size != 0) {
      pieces_[count_++] = {data, size};
      bytes_ += size;
    }
    return true;
  }
  bool full() const { return count_ == kMaxPieces; }
  std::span<const Piece> pieces() const { return {pieces_.data(), count_}; }
  std::size_t bytes() const { return bytes_; }
  void clear() { count_ = bytes_ = 0; }

 private:
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
  std::array<Piece, kMaxPieces> pieces_;
};

// One byte stream, seen from the side that understands it.
class Link {
 public:
  // Where the next bytes are to go; never empty while the link is open.
  virtual std::span<std::byte> read_space() = 0;
  // `n` >= 1 bytes are in the space given last.
  virtual void on_read(std::size_t n, Now now) = 0;
  // Adds what is to be written now; nothing added means nothing to write until want_write().
  virtual void gather(BufferList& out) = 0;
  // The first `n` >= 1 bytes of what was gathered last have gone out. gather() is asked again.
  virtual void on_written(std::size_t n, Now now) = 0;
  // Connected (an accepted link is open from the start: this is its first event as well).
  virtual void on_open(Now now) = 0;
  // The last event, exactly once for each link that was opened or accepted, also after close().
  // `why` is std::errc::operation_canceled after close(), std::errc::connection_reset or asio's
  // end-of-file mapped to std::errc::connection_aborted when the peer has ended the stream. Where
  // it is a write that failed, what had arrived has been read before, unless reading is paused.
  virtual void on_closed(Stage stage, std::error_code why, Now now) = 0;

 protected:
  ~Link() = default;
};

// Takes the links that arrive on a listener.
class Acceptor {
 public:
  // Returns the link that is to serve `id`, or null to refuse it.
  virtual Link* on_accept(LinkId id, const Endpoint& peer) = 0;

 protected:
  ~Acceptor() = default;
};

class Network {
 public:
  // Starts to connect; on_open() or on_closed() of `link` follows. `link` must live until
  // on_closed().
  virtual LinkId open(const Endpoint& endpoint, Link& link) = 0;
  // Ends a link now, without writing what is still pending. Unknown ids are ignored.
  virtual void close(LinkId id) = 0;
  // Port 0 picks a free one. `bound`, if given, receives the address in use. On failure the id is
  // empty and `error` is set.
  virtual ListenerId listen(const Endpoint& endpoint, Acceptor& acceptor, std::error_code& error,
                            Endpoint* bound = nullptr) = 0;
  virtual void close_listener(ListenerId id) = 0;
  // gather() will be called soon.
  virtual void want_write(LinkId id) = 0;
  // While paused no on_read() comes, and the peer feels it.
  virtual void pause_read(LinkId id, bool paused) = 0;
  // Inside on_closed(): what is known beyond its error code, in words; often nothing.
  virtual std::string_view why_closed() const { return {}; }

  // A call from outside a step made work or an earlier deadline: step() will run soon. Any thread;
  // cheap when a step is already due.
  virtual void wake() = 0;
  // True if the calling thread may touch the machine directly. Any thread.
  virtual bool on_executor() const = 0;
  // The time, possibly coarse. Any thread.
  virtual Now now() const = 0;
  // Now::wall_ms alone, which costs half as much. Any thread.
  virtual std::int64_t wall_ms() const = 0;

 protected:
  ~Network() = default;
};

// An engine, as its driver sees it.
class Machine {
 public:
  // Works off what the events since the last step have made due, timeouts included.
  virtual void step(Now now) = 0;
  // When step() has to be called at the latest; kNever if nothing is pending.
  virtual Time next_deadline() const = 0;
  // Runs the handlers of what has completed. May call user code, which may call the engine again.
  virtual void run_completions() = 0;

 protected:
  ~Machine() = default;
};

}  // namespace tern

#endif  // TERN_CLIENT_CORE_PORTS_H_

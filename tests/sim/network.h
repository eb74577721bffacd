// A network in memory, with faults. Fabric: all hosts, connections and faults of a world. Network:
// the port of one host, as the machine that runs there sees it; it drives that machine as the
// driver on real sockets does: after the events of a moment step(), then run_completions(), and
// step() again at next_deadline() or after wake().
//
// What a machine does against the rules of ports.h is reported as a violation of the world: empty
// read space, memory changed between gather() and on_written() or between read_space() and
// on_read(), a link opened twice, an id of somebody else's, waking up over and over without need.
//
// One thread. Lifetimes: World, then Fabric, then Networks, each longer than the next; a Network
// must live as long as its machine uses it. A link must live until its on_closed(), or until its
// host crashed or its Network was destroyed, after which it is not touched any more.
#ifndef TERN_TESTS_SIM_NETWORK_H_
#define TERN_TESTS_SIM_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/core/ports.h"
#include "tests/sim/faults.h"
#include "tests/sim/world.h"

namespace tern::sim {

class Network;

class Fabric final : private World::Target {
 public:
  Fabric(World& world, const FaultPlan& plan);
  ~Fabric();
  Fabric(const Fabric&) = delete;
  Fabric& operator=(const Fabric&) = delete;

  World& world() { return world_; }
  const FaultPlan& plan() const { return plan_; }
  const FaultCounts& counts() const { return counts_; }
  void count(Fault fault) { ++counts_[fault]; }

  // Ends all faults: paths open, silent connections are cut or speak again, nothing new is drawn.
  // What was cut stays cut. Reads still come in pieces, which is no fault; buffers and
  // writes get large, so that a large answer comes within its time.
  void heal();

  // Faults by hand, for tests and scenarios. Hosts by name.
  // Another name for a host; an empty host takes the alias away, so that the name resolves no more.
  void set_alias(const std::string& name, const std::string& host);
  void block(const std::string& from, const std::string& to, bool blocked);  // one direction
  void clog(const std::string& from, const std::string& to, Duration period);
  void reset(LinkId id);  // both sides learn of it
  // The stream that the side `id` sends ends in a reset `bytes` after what it has written so far.
  void reset_after(LinkId id, std::uint64_t bytes);
  void silence(LinkId id);  // nothing arrives any more, in both directions
  // For each connection that is made from now on: the n-th byte of the client's (0) or the server's
  // (1) stream is the first one that is lost, in a reset. kNoCut ends it.
  static constexpr std::uint64_t kNoCut = ~std::uint64_t{0};
  void cut_new_connections(int direction, std::uint64_t at_byte);

  std::size_t open_links() const;  // sides of connections not yet closed, on all hosts
  std::uint64_t bytes_delivered() const { return bytes_delivered_; }

 private:
  friend class Network;

  enum Event : std::uint32_t {
    kResolve,
    kConnect,
    kConnected,
    kFailed,
    kAccepted,
    kArrive,
    kRead,
    kWrite,
    kWritten,
    kEnd,
    kClosed,
    kStep,
    kTimer,
    kResetTick,
    kReplyTick,
    kClogTick,
    kPartitionTick,
    kUnclog,
    kUnblock
  };
  // gone: on_closed() is over, but what it sent may still be under way to the other side.
  enum class State : std::uint8_t { free, connecting, open, closing, gone };
  enum class End : std::uint8_t { none, eof, reset };

  struct Segment {
    std::size_t size;
    Time at;
  };
  // Bytes on their way from one side to the other.
  struct Pipe {
    std::vector<std::byte> bytes;  // from head: first those that have arrived, then those under way
    std::size_t head = 0;
    std::size_t arrived = 0;
    std::deque<Segment> segments;  // under way
    Time last_at{};                // arrivals keep their order
    std::uint64_t total = 0;       // ever accepted
    std::uint64_t cut_at = kNoCut;
    std::uint64_t silent_at = kNoCut;
    bool silent = false;
    End end = End::none;  // comes after the bytes
    bool end_scheduled = false;
    bool end_arrived = false;
    bool arrive_scheduled = false;
    bool stalled = false;  // an arrival met a blocked path
    std::size_t size() const { return bytes.size() - head; }
  };
  struct Side {
    State state = State::free;
    std::uint32_t index = 0;
    std::uint32_t generation = 0;
    std::uint32_t host = 0;
    std::uint32_t peer = 0;             // index of the other side
    std::uint32_t peer_generation = 0;  // 0: none (yet)
    std::uint32_t peer_host = 0;
    bool accepted = false;  // the server's side
    bool zombie = false;    // its host went down without a word
    Link* link = nullptr;
    Endpoint target;
    Stage stage = Stage::dns;  // of on_closed()
    std::error_code why;
    int syn_tries = 0;
    bool paused = false;
    bool read_scheduled = false;
    bool armed = false;  // read_space() was called, on_read() is owed
    std::span<std::byte> space;
    std::uint64_t space_hash = 0;
    bool write_wanted = false;  // before it was open
    bool write_scheduled = false;
    bool writing = false;  // gather() was called, on_written() is owed
    bool write_blocked = false;
    std::vector<BufferList::Piece> pieces;
    std::size_t write_size = 0;  // of the pieces, how much is to go
    std::uint64_t write_hash = 0;
    Pipe out;
  };
  struct Listener {
    Endpoint bound;
    Acceptor* acceptor = nullptr;  // null: free
    std::uint32_t generation = 0;
  };
  struct Host {
    std::string name;
    Network* network = nullptr;
    Machine* machine = nullptr;
    bool up = true;
    bool quiet = false;  // down, and not even refusing
    bool step_scheduled = false;
    bool inside = false;  // in one of the machine's functions or its links'
    Time timer_at = kNever;
    std::uint64_t timer_sequence = 0;
    std::uint16_t next_port = 49152;
    std::vector<Listener> listeners;
    // Against hot loops.
    std::uint64_t idle_steps_ms = 0, idle_steps_s = 0;
    std::int64_t idle_ms = 0, idle_s = 0;
    bool busy = false;  // a link event or a call from outside since the last step
  };

  void on_event(std::uint32_t kind, std::uint64_t a, std::uint64_t b) override;
  void link_event(std::uint32_t kind, Side& side);

  // Brackets a call into a machine or a link.
  struct Inside {
    explicit Inside(Host& host) : flag(host.inside), before(host.inside) { flag = true; }
    ~Inside() { flag = before; }
    bool& flag;
    const bool before;
  };

  // network.cc: hosts
  std::uint32_t add_host(Network& network, const std::string& name);
  int find_host(const std::string& name, std::uint32_t from) const;
  void run_step(std::uint32_t host_index);
  void check_hot_loop(Host& host, bool idle);
  // Something happened at the host: a step is due.
  void touch(std::uint32_t host_index, bool from_outside);
  void arm_timer(std::uint32_t host_index);
  void on_timer(std::uint32_t host_index);
  void drop_host_links(std::uint32_t host_index, bool silently, bool tell_peers);

  // connect.cc: making and ending connections
  LinkId open(std::uint32_t host_index, const Endpoint& endpoint, Link& link);
  void close(std::uint32_t host_index, LinkId id);
  Side* find(std::uint32_t host_index, LinkId id, const char* call);
  Side& new_side(std::uint32_t host_index, Link* link);
  std::uint64_t key(const Side& side) const;
  void schedule(Time at, Event kind, const Side& side);
  void resolve(Side& side);
  void connect(Side& side);
  void accept(Side& client, std::uint32_t host_index, Listener& listener);
  void connected(Side& side);
  void draw_connection_faults(Side& client, Side& server);
  void fail(Side& side, Stage stage, std::error_code why, Time at);
  // The side hears nothing any more but on_closed(), at `at`; `to_peer` is how its own stream ends.
  void finish(Side& side, Stage stage, std::error_code why, End to_peer);
  void closed(Side& side);
  void free_if_both_gone(Side& side);
  Side* peer_of(const Side& side);

  // pipe.cc: moving bytes
  void want_write(Side& side);
  void pause_read(Side& side, bool paused);
  void gather(Side& side);
  void written(Side& side);
  void take_bytes(Side& side, std::size_t n);
  std::uint64_t hash_pieces(const Side& side) const;
  void on_taken(Side& side, std::size_t n);
  void arrive(Side& sender);
  void schedule_arrival(Side& sender);
  void schedule_read(Side& side);
  void arm_read(Side& side);
  void read(Side& side);
  bool read_once(Side& side);
  void send_end(Side& side, End end);
  void end_arrives(Side& sender);
  void see_end(Side& side);
  void cut(Side& sender, std::uint64_t keep_in_flight);
  bool path_blocked(std::uint32_t from, std::uint32_t to) const;
  bool pipe_blocked(const Side& sender) const;
  void unstall();
  void unblock(std::uint32_t from, std::uint32_t to);
  Duration transit();

  // nemesis.cc: faults
  void start_nemesis();
  void tick(Event kind, Duration every);
  void nemesis(Event kind);
  Side* any_open_side();

  World& world_;
  FaultPlan plan_;
  FaultCounts counts_;
  Rng rng_;          // what happens to bytes
  Rng nemesis_rng_;  // when faults come
  bool healed_ = false;
  std::deque<Side> sides_;
  std::vector<std::uint32_t> free_sides_;
  std::deque<Host> hosts_;
  std::map<std::string, std::string> aliases_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, int> blocked_;   // from, to -> how often
  std::map<std::pair<std::uint32_t, std::uint32_t>, Time> clogged_;  // from, to -> until
  std::uint64_t cut_new_[2] = {kNoCut, kNoCut};
  std::uint64_t bytes_delivered_ = 0;
  BufferList scratch_;
};

class Network final : public tern::Network {
 public:
  // `host` is the name others connect to. Each host once per fabric, unless the former is
  // destroyed.
  Network(Fabric& fabric, const std::string& host);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // The machine to drive, from now on.
  void attach(Machine& machine);
  // No machine any more, as before attach(): links live on, but nothing makes a step.
  void detach();

  LinkId open(const Endpoint& endpoint, Link& link) override;
  void close(LinkId id) override;
  ListenerId listen(const Endpoint& endpoint, Acceptor& acceptor, std::error_code& error,
                    Endpoint* bound = nullptr) override;
  void close_listener(ListenerId id) override;
  void want_write(LinkId id) override;
  void pause_read(LinkId id, bool paused) override;
  void wake() override;
  bool on_executor() const override { return true; }
  Now now() const override { return fabric_.world_.now(); }
  std::int64_t wall_ms() const override { return now().wall_ms; }

  const std::string& host() const { return fabric_.hosts_[index_].name; }
  Fabric& fabric() { return fabric_; }

  // The power is gone: nothing here gets a call any more, listeners and links are forgotten, the
  // machine is detached. Peers see a reset, or nothing at all if `quiet` (until it is up again).
  void crash(bool quiet = false);
  // The process lives but its network is taken down and up: every link here gets on_closed(),
  // listeners stay but cannot be reached. As for a broker object that survives its own restart.
  void down(bool quiet = false);
  void up();
  bool is_up() const { return fabric_.hosts_[index_].up; }

  // The user did something, from a handler: what follows is not the machine's own idea. For users
  // who answer each handler with the next call.
  void user_acted() { fabric_.hosts_[index_].busy = true; }

  std::size_t links() const;  // not yet closed
  std::uint64_t steps() const { return steps_; }
  // How many steps that nothing called for one may ask for; above it, a violation.
  void set_hot_loop_limits(std::uint64_t per_ms, std::uint64_t per_second) {
    hot_per_ms_ = per_ms;
    hot_per_second_ = per_second;
  }

 private:
  friend class Fabric;
  Fabric& fabric_;
  std::uint32_t index_;
  std::uint64_t steps_ = 0;
  std::uint64_t hot_per_ms_ = 64;
  std::uint64_t hot_per_second_ = 1000;
};

}  // namespace tern::sim

#endif  // TERN_TESTS_SIM_NETWORK_H_

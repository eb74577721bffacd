// FaultPlan: what goes wrong in one run, drawn from its seed. Swarm style: each kind is off in half
// of the runs, else its strength is drawn too, so that runs differ in kind and not only in luck.
#ifndef TERN_TESTS_SIM_FAULTS_H_
#define TERN_TESTS_SIM_FAULTS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "client/core/time.h"
#include "tests/sim/random.h"

namespace tern::sim {

enum class Fault : std::uint8_t {
  split_read,       // a read got less than had arrived
  split_write,      // a write took less than was offered
  full_buffer,      // a write had to wait for the peer to read
  delay,            // bytes took longer than the base latency
  clog,             // a path between two hosts stood still for a while
  partition,        // ... until told otherwise; may be in one direction only
  reset,            // a connection was cut at some byte
  reset_reply,      // ... in what the accepting side answers: it has applied, the other never hears
  silence,          // a connection stopped to deliver, and nobody is told
  refuse,           // a connect was refused
  connect_timeout,  // a connect got no answer
  dns,              // a name did not resolve
  slow_host,        // a machine's step came late
  crash,            // a host went down
  kCount
};
inline constexpr std::size_t kFaults = static_cast<std::size_t>(Fault::kCount);
const char* to_string(Fault fault);

// Probabilities are per event of the kind in question; a zero duration or probability is "never".
struct FaultPlan {
  Duration latency = std::chrono::microseconds(100);  // one way, always
  Duration delay_mean{0};                             // added to it, exponentially distributed
  double delay_p = 0;                                 // for this share of the segments
  std::uint64_t read_max = 0;                         // largest read in bytes; 0: no limit
  std::uint64_t write_max = 0;                        // largest write in bytes; 0: no limit
  std::size_t buffer_bytes = 256 * 1024;              // what a connection holds in one direction
  double reset_connection_p = 0;   // cut at a byte drawn when the connection is made
  double silent_connection_p = 0;  // silent from a byte drawn when the connection is made
  Duration reset_every{0};         // mean time between cuts of some connection
  Duration reset_reply_every{0};   // mean time between cuts in some answer
  Duration clog_every{0}, clog_mean{0};
  Duration partition_every{0}, partition_mean{0};
  double refuse_p = 0;
  double connect_timeout_p = 0;
  double dns_p = 0;
  Duration step_delay{0};   // steps come up to this late
  Duration crash_every{0};  // mean time between crashes; the scenario brings hosts down
  Duration down_mean{0};    // and up again after this
  // How the driver behaves within the contract, not faults.
  bool eager_read_space = true;  // asks for read space before there are bytes, as a proactor does
  std::uint64_t burst = 1;       // reads before a step may run

  static FaultPlan none() { return {}; }
  static FaultPlan draw(Rng rng);
  // All of it, so that a run can be understood without this code.
  std::string to_string() const;
};

struct FaultCounts {
  std::array<std::uint64_t, kFaults> counts{};
  std::uint64_t& operator[](Fault fault) { return counts[static_cast<std::size_t>(fault)]; }
  std::uint64_t operator[](Fault fault) const { return counts[static_cast<std::size_t>(fault)]; }
  std::string to_string() const;
};

}  // namespace tern::sim

#endif  // TERN_TESTS_SIM_FAULTS_H_

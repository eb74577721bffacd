#include "tests/sim/faults.h"

#include <cstdio>

namespace tern::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

double ms(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }

}  // namespace

const char* to_string(Fault fault) {
  switch (fault) {
    case Fault::split_read:
      return "split_read";
    case Fault::split_write:
      return "split_write";
    case Fault::full_buffer:
      return "full_buffer";
    case Fault::delay:
      return "delay";
    case Fault::clog:
      return "clog";
    case Fault::partition:
      return "partition";
    case Fault::reset:
      return "reset";
    case Fault::reset_reply:
      return "reset_reply";
    case Fault::silence:
      return "silence";
    case Fault::refuse:
      return "refuse";
    case Fault::connect_timeout:
      return "connect_timeout";
    case Fault::dns:
      return "dns";
    case Fault::slow_host:
      return "slow_host";
    case Fault::crash:
      return "crash";
    case Fault::kCount:
      break;
  }
  return "?";
}

FaultPlan FaultPlan::draw(Rng rng) {
  FaultPlan plan;
  // Every value is drawn whether used or not, so that switching one kind off changes no other.
  const auto on = [&rng] { return rng.chance(0.5); };
  const auto if_on = [&on](auto value) { return on() ? value : decltype(value){}; };
  plan.latency = rng.log_between(microseconds(20), milliseconds(5));
  plan.delay_mean = rng.log_between(microseconds(200), milliseconds(500));
  plan.delay_p = if_on(rng.unit() * 0.3);
  plan.read_max = if_on(rng.log_between(16, 16384));
  plan.write_max = if_on(rng.log_between(64, 65536));
  const std::size_t small_buffer = rng.log_between(256, 32768);
  if (on()) plan.buffer_bytes = small_buffer;
  plan.reset_connection_p = if_on(rng.unit() * 0.5);
  plan.silent_connection_p = if_on(rng.unit() * 0.1);
  plan.reset_every = if_on(rng.log_between(milliseconds(50), seconds(10)));
  plan.reset_reply_every = if_on(rng.log_between(milliseconds(50), seconds(10)));
  plan.clog_mean = rng.log_between(milliseconds(10), seconds(5));
  plan.clog_every = if_on(rng.log_between(milliseconds(200), seconds(20)));
  plan.partition_mean = rng.log_between(milliseconds(100), seconds(10));
  plan.partition_every = if_on(rng.log_between(seconds(1), seconds(30)));
  plan.refuse_p = if_on(rng.unit() * 0.3);
  plan.connect_timeout_p = if_on(rng.unit() * 0.1);
  plan.dns_p = if_on(rng.unit() * 0.1);
  plan.step_delay = if_on(rng.log_between(microseconds(10), milliseconds(50)));
  plan.down_mean = rng.log_between(milliseconds(50), seconds(5));
  plan.crash_every = if_on(rng.log_between(milliseconds(500), seconds(20)));
  plan.eager_read_space = on();
  plan.burst = rng.between(1, 4);
  return plan;
}

std::string FaultPlan::to_string() const {
  char text[1024];
  const int n = std::snprintf(
      text, sizeof text,
      "latency=%.3fms delay=%.3fms@%.3f read_max=%llu write_max=%llu buffer=%zu "
      "reset_connection=%.3f silent_connection=%.3f reset_every=%.0fms reset_reply_every=%.0fms "
      "clog=%.0fms/%.0fms partition=%.0fms/%.0fms refuse=%.3f connect_timeout=%.3f dns=%.3f "
      "step_delay=%.3fms crash=%.0fms/%.0fms eager_read_space=%d burst=%llu",
      ms(latency), ms(delay_mean), delay_p, static_cast<unsigned long long>(read_max),
      static_cast<unsigned long long>(write_max), buffer_bytes, reset_connection_p,
      silent_connection_p, ms(reset_every), ms(reset_reply_every), ms(clog_mean), ms(clog_every),
      ms(partition_mean), ms(partition_every), refuse_p, connect_timeout_p, dns_p, ms(step_delay),
      ms(down_mean), ms(crash_every), eager_read_space ? 1 : 0,
      static_cast<unsigned long long>(burst));
  return std::string(text, static_cast<std::size_t>(n));
}

std::string FaultCounts::to_string() const {
  std::string text;
  for (std::size_t i = 0; i < kFaults; ++i) {
    if (counts[i] == 0) continue;
    if (!text.empty()) text += ' ';
    text += sim::to_string(static_cast<Fault>(i));
    text += '=' + std::to_string(counts[i]);
  }
  return text;
}

}  // namespace tern::sim

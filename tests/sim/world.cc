#include "tests/sim/world.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <utility>

namespace tern::sim {
namespace {

constexpr std::size_t kMaxViolations = 20;
// 2023-11-14: a wall clock that is no multiple of the monotonic one.
constexpr std::int64_t kWallStartMs = 1'700'000'000'123;

}  // namespace

World::World(std::uint64_t seed) : seed_(seed) {
  // Not zero, and not the same in each run: a forgotten initialisation must not look like "now".
  Rng rng = make_rng("clock");
  time_ =
      Time(std::chrono::hours(1) + Duration(static_cast<std::int64_t>(rng.below(1'000'000'000))));
  start_ = time_;
  wall_offset_ms_ = kWallStartMs - time_.time_since_epoch() / std::chrono::milliseconds(1);
}

World::~World() = default;

std::int64_t World::wall_ms() const {
  return time_.time_since_epoch() / std::chrono::milliseconds(1) + wall_offset_ms_;
}

void World::push(Event event) {
  event.at = std::max(event.at, time_);
  event.sequence = ++sequence_;
  queue_.push_back(event);
  std::push_heap(queue_.begin(), queue_.end(), Later());
}

void World::schedule(Time at, Target& target, std::uint32_t kind, std::uint64_t a,
                     std::uint64_t b) {
  push({at, 0, &target, kind, a, b});
}

void World::forget(const Target& target) {
  std::erase_if(queue_, [&](const Event& event) { return event.target == &target; });
  std::make_heap(queue_.begin(), queue_.end(), Later());
}

void World::at(Time at, Completion<> call) { at_time(at, std::move(call)); }

void World::at_time(Time at, Completion<> call) {
  std::uint32_t index;
  if (free_calls_.empty()) {
    index = static_cast<std::uint32_t>(calls_.size());
    calls_.push_back(std::move(call));
  } else {
    index = free_calls_.back();
    free_calls_.pop_back();
    calls_[index] = std::move(call);
  }
  push({at, 0, nullptr, 0, index, 0});
}

bool World::run_one(Time limit) {
  if (queue_.empty() || queue_.front().at > limit) {
    time_ = std::max(time_, limit);
    return false;
  }
  std::pop_heap(queue_.begin(), queue_.end(), Later());
  const Event event = queue_.back();
  queue_.pop_back();
  time_ = event.at;
  ++events_;
  note(static_cast<std::uint64_t>(time_.time_since_epoch().count()));
  note((std::uint64_t{event.kind} << 1) | (event.target ? 1 : 0));
  if (event.target) {
    note(event.a);
    note(event.b);
    event.target->on_event(event.kind, event.a, event.b);
  } else {
    Completion<> call = std::move(calls_[event.a]);
    free_calls_.push_back(static_cast<std::uint32_t>(event.a));
    call();
  }
  if (keep_history_) history_.push_back(hash_);
  return true;
}

void World::trace(const char* format, ...) const {
  if (!trace_) return;
  const auto us = time_.time_since_epoch() / std::chrono::microseconds(1);
  std::fprintf(stderr, "#%llu %lld.%06lld ", static_cast<unsigned long long>(events_),
               static_cast<long long>(us / 1'000'000), static_cast<long long>(us % 1'000'000));
  va_list args;
  va_start(args, format);
  std::vfprintf(stderr, format, args);
  va_end(args);
  std::fputc('\n', stderr);
}

void World::violation(std::string what) {
  trace("VIOLATION %s", what.c_str());
  if (violations_.size() >= kMaxViolations) return;
  violations_.push_back("seed " + std::to_string(seed_) + ", event " + std::to_string(events_) +
                        ": " + what);
}

}  // namespace tern::sim

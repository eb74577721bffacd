#include "client/kafka/consumer_records.h"

#include <algorithm>

namespace tern::kafka {
namespace internal {

std::unique_ptr<RecordsData> RecordsHome::take(const std::shared_ptr<RecordsHome>& home) {
  std::unique_ptr<RecordsData> data;
  {
    std::lock_guard lock(home->mutex_);
    if (!home->kept_.empty()) {
      data = std::move(home->kept_.back());
      home->kept_.pop_back();
    }
  }
  if (!data) data = std::make_unique<RecordsData>();
  data->home = home;
  home->out_.fetch_add(1, std::memory_order_relaxed);
  return data;
}

void RecordsHome::give_back(std::unique_ptr<RecordsData> data, bool finished) noexcept {
  const std::shared_ptr<RecordsHome> home = std::move(data->home);
  if (finished) home->finish(*data);
  home->keep(std::move(data), true);
}

void RecordsHome::put_back(std::unique_ptr<RecordsData> data) noexcept {
  const std::shared_ptr<RecordsHome> home = std::move(data->home);
  home->keep(std::move(data), false);
}

void RecordsHome::keep(std::unique_ptr<RecordsData> data, bool tell) noexcept {
  data->batches.clear();
  data->ends.clear();
  data->frames.clear();
  data->records = 0;
  out_.fetch_sub(1, std::memory_order_acq_rel);
  std::lock_guard lock(mutex_);
  if (kept_.size() < kKept) kept_.push_back(std::move(data));
  if (tell && std::exchange(asked_, false) && notice_) notice_();
}

void RecordsHome::track(RecordsData& data) {
  std::lock_guard lock(mutex_);
  for (RecordsData::End& end : data.ends) {
    end.ticket = ++last_ticket_;
    end.partition->handed_out.push_back({end.ticket, end.begin, end.begin_epoch, false});
  }
}

void RecordsHome::finish(const RecordsData& data) noexcept {
  if (data.ends.empty() || data.ends.front().ticket == 0) return;
  std::lock_guard lock(mutex_);
  for (const RecordsData::End& end : data.ends) {
    auto& out = end.partition->handed_out;
    for (PartitionGauge::HandedOut& each : out) {
      if (each.ticket == end.ticket) each.finished = true;
    }
    const auto first =
        std::find_if(out.begin(), out.end(), [](auto& each) { return !each.finished; });
    out.erase(out.begin(), first);
  }
}

bool RecordsHome::unfinished(const PartitionGauge& gauge, std::int64_t& begin,
                             std::int32_t& epoch) const {
  std::lock_guard lock(mutex_);
  if (gauge.handed_out.empty()) return false;
  begin = gauge.handed_out.front().begin;
  epoch = gauge.handed_out.front().begin_epoch;
  return true;
}

void RecordsHome::forget(PartitionGauge& gauge) {
  std::lock_guard lock(mutex_);
  gauge.handed_out.clear();
}

void RecordsHome::set_notice(std::function<void()> called) {
  std::lock_guard lock(mutex_);
  kept_.reserve(kKept);  // so that giving back cannot fail
  notice_ = std::move(called);
}

void RecordsHome::ask() {
  std::lock_guard lock(mutex_);
  asked_ = true;
}

void RecordsHome::close() {
  std::lock_guard lock(mutex_);
  notice_ = nullptr;
}

}  // namespace internal

Offsets Records::end_offsets() const {
  Offsets offsets;
  if (!data_) return offsets;
  offsets.reserve(data_->ends.size());
  for (const auto& end : data_->ends) {
    offsets.push_back({.topic = end.partition->topic,
                       .partition = end.partition->partition,
                       .offset = end.offset,
                       .leader_epoch = end.leader_epoch,
                       .ownership = end.partition->ownership});
  }
  return offsets;
}

}  // namespace tern::kafka

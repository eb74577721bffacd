#include "client/kafka/consumer_records.h"

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

void RecordsHome::give_back(std::unique_ptr<RecordsData> data) noexcept {
  const std::shared_ptr<RecordsHome> home = std::move(data->home);
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
    offsets.push_back(
        {end.partition->topic, end.partition->partition, end.offset, end.leader_epoch});
  }
  return offsets;
}

}  // namespace tern::kafka

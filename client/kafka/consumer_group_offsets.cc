// The part of ConsumerGroup that has to do with offsets: where reading begins, and what is stored.
#include <algorithm>
#include <utility>

#include "client/kafka/consumer_group.h"
#include "client/kafka/engine.h"

namespace tern::kafka {
namespace {

TopicPartition key_of(const PartitionOffset& offset) { return {offset.topic, offset.partition}; }

Failure revoked(const PartitionOffset& offset, const char* why) {
  return Failure(make_error_code(ClientErrc::revoked),
                 offset.topic + "-" + std::to_string(offset.partition) + ": offset " +
                     std::to_string(offset.offset) + " was not stored: " + why);
}

GroupOffsets::CommitDone telling(Engine& engine, ConsumerGroup::CommitDone done) {
  return [&engine, done = std::make_shared<ConsumerGroup::CommitDone>(std::move(done))](
             const Failure& why, Now) { engine.complete(std::move(*done), why); };
}

}  // namespace

// ------------------------------------------------------------------------------ where it begins

void ConsumerGroup::find_positions(Now now) {
  if (!positions_wanted_ || now.mono < positions_at_ || closing_) return;
  positions_wanted_ = false;
  Partitions names;
  std::vector<ConsumerPartitionPtr> asked;
  std::vector<std::uint64_t> versions;
  for (const auto& [name, owned] : owned_) {
    const ConsumerPartitionPtr& partition = owned.partition;
    if (partition->state != ConsumerPartition::State::awaiting || partition->finding) continue;
    partition->finding = true;
    names.push_back(name);
    asked.push_back(partition);
    versions.push_back(partition->version);
  }
  if (names.empty()) return;
  offsets_.fetch(0, std::move(names), kNever,
                 [this, asked = std::move(asked), versions = std::move(versions)](
                     const Failure& why, const Offsets& found, Now at) {
                   on_positions(asked, versions, why, found, at);
                 });
}

void ConsumerGroup::on_positions(const std::vector<ConsumerPartitionPtr>& asked,
                                 const std::vector<std::uint64_t>& versions, const Failure& why,
                                 const Offsets& found, Now now) {
  for (std::size_t i = 0; i < asked.size(); ++i) {
    ConsumerPartition& partition = *asked[i];
    const auto owned = owned_.find({partition.topic.name, partition.index});
    // Lost, or sought, or both, meanwhile.
    if (owned == owned_.end() || owned->second.partition != asked[i]) continue;
    if (!why && owned->second.turn == partition.gauge->ownership) {
      owned->second.stored = std::max(owned->second.stored, found[i].offset);
    }
    if (partition.version != versions[i]) continue;
    partition.finding = false;
    if (partition.state != ConsumerPartition::State::awaiting) continue;
    if (why) {
      positions_wanted_ = true;
    } else {
      place(partition, found[i], now);
    }
  }
  if (!why) {
    positions_backoff_.reset();
    positions_told_ = false;
    return;
  }
  if (closing_) return;
  // Whatever it is, reading must not begin anywhere else.
  positions_at_ = deadline_after(now.mono, positions_backoff_.next(engine_.random()));
  if (!std::exchange(positions_told_, true)) host_.tell(why);
}

void ConsumerGroup::place(ConsumerPartition& partition, const PartitionOffset& found, Now now) {
  if (found.offset >= 0) {
    partition.restart(found.offset, found.leader_epoch);
    return host_.on_positioned(partition);
  }
  if (config_->offset_reset == OffsetReset::none) {
    partition.restart(-1);
    partition.stop();
    host_.tell(Failure(make_error_code(ClientErrc::offset_out_of_range),
                       partition.name() + ": group \"" + config_->group +
                           "\" has stored no offset, and offset_reset is none"));
  } else {
    partition.restart(reset_position(*config_, now));
  }
  host_.on_positioned(partition);
}

void ConsumerGroup::on_new_turn(ConsumerPartition& partition) {
  const auto found = owned_.find({partition.topic.name, partition.index});
  if (found == owned_.end()) return;
  found->second.turn = ++last_turn_;
  found->second.stored = -1;
  found->second.to_store = {};
  home_->forget(*partition.gauge);
}

// ------------------------------------------------------------------------------- what is stored

const MemberIdentity* ConsumerGroup::committing_identity() const {
  static const MemberIdentity kNone;
  if (!membership_) return &kNone;
  return membership_->can_commit() ? &membership_->identity() : nullptr;
}

std::uint64_t ConsumerGroup::turn(const PartitionOffset& offset) const {
  const auto found = owned_.find(key_of(offset));
  return found == owned_.end() ? 0 : found->second.turn;
}

Failure ConsumerGroup::check_commit(const GroupOffsets::Asked& offset, bool& covered) const {
  const auto found = owned_.find(key_of(offset));
  if (found == owned_.end()) {
    if (!membership_ && offset.ownership == 0) return {};
    return revoked(offset, "the partition is not this member's (any more)");
  }
  const Owned& owned = found->second;
  const std::uint64_t ownership = owned.partition->gauge->ownership;
  if (offset.ownership != 0 && offset.ownership != ownership) {
    return revoked(offset, "the partition has been taken away since the record was read");
  }
  if (membership_ && offset.turn < ownership) {
    return revoked(offset, "the partition has been taken away, or given, since it was asked for");
  }
  if (offset.turn != owned.turn) {  // from before a seek
    covered = owned.stored >= 0;
    return {};
  }
  const bool is_stored = offset.offset == owned.stored && offset.metadata.empty() &&
                         !offsets_.may_be_overtaken(engine_.now());
  covered = offset.offset < owned.stored || is_stored;
  return {};
}

void ConsumerGroup::on_committed(const GroupOffsets::Asked& offset) {
  const auto found = owned_.find(key_of(offset));
  // One from before a seek says nothing of what may be stored after it.
  if (found == owned_.end() || offset.turn != found->second.turn) return;
  found->second.stored = std::max(found->second.stored, offset.offset);
}

void ConsumerGroup::on_refused(BrokerErrc error, const MemberIdentity& used, Now now) {
  if (membership_) membership_->on_refused(error, used, now);
}

bool ConsumerGroup::finished_offset(const Owned& owned, PartitionOffset& out) const {
  const ConsumerPartition& partition = *owned.partition;
  const std::int64_t least = owned.stored + (offsets_.may_be_overtaken(engine_.now()) ? 0 : 1);
  if (!config_->auto_store) {
    out = owned.to_store;
    return out.offset >= std::max<std::int64_t>(least, 0);
  }
  if (partition.position < 0) return false;
  out = {.topic = partition.topic.name,
         .partition = partition.index,
         .offset = partition.position,
         .leader_epoch = partition.position_epoch,
         .ownership = partition.gauge->ownership};
  home_->unfinished(*partition.gauge, out.offset, out.leader_epoch);
  return out.offset >= least;
}

// Of all partitions, or of these.
Offsets ConsumerGroup::finished(const Partitions* of) const {
  Offsets offsets;
  PartitionOffset offset;
  for (const auto& [name, owned] : owned_) {
    if (of && !std::binary_search(of->begin(), of->end(), name)) continue;
    if (finished_offset(owned, offset)) offsets.push_back(offset);
  }
  return offsets;
}

void ConsumerGroup::auto_commit(Now now) {
  if (!config_->auto_commit || closing_) {
    auto_commit_at_ = kNever;
    return;
  }
  if (auto_commit_at_ == kNever) {
    if (!owned_.empty()) {
      auto_commit_at_ = deadline_after(now.mono, config_->auto_commit_interval);
    }
    return;
  }
  if (now.mono < auto_commit_at_) return;
  auto_commit_at_ =
      owned_.empty() ? kNever : deadline_after(now.mono, config_->auto_commit_interval);
  if (auto_committing_ || !committing_identity()) return;
  Offsets offsets = finished(nullptr);
  if (offsets.empty()) return;
  auto_committing_ = true;
  offsets_.commit(0, std::move(offsets),
                  deadline_after(now.mono, engine_.config().operation_timeout),
                  [this](const Failure& why, Now) {
                    auto_committing_ = false;
                    if (why) engine_.tell_trouble("group", why);
                  });
}

void ConsumerGroup::commit_finished(std::uint64_t id, Time deadline, CommitDone done) {
  commit(id, finished(nullptr), deadline, std::move(done));
}

void ConsumerGroup::commit(std::uint64_t id, Offsets offsets, Time deadline, CommitDone done) {
  offsets_.commit(id, std::move(offsets), deadline, telling(engine_, std::move(done)));
}

Failure ConsumerGroup::store(const Offsets& offsets) {
  Failure failure;
  for (const PartitionOffset& offset : offsets) {
    bool covered = false;
    if (Failure why = check_commit({offset, turn(offset), {}}, covered)) {
      failure = std::move(why);
    } else if (const auto found = owned_.find(key_of(offset)); found != owned_.end()) {
      PartitionOffset& to_store = found->second.to_store;
      if (offset.offset >= to_store.offset) to_store = offset;
    }
  }
  return failure;
}

void ConsumerGroup::committed(std::uint64_t id, Partitions partitions, Time deadline,
                              OffsetsDone done) {
  offsets_.fetch(id, std::move(partitions), deadline,
                 [&engine = engine_, done = std::make_shared<OffsetsDone>(std::move(done))](
                     const Failure& why, Offsets found, Now) {
                   engine.complete(std::move(*done), why, std::move(found));
                 });
}

}  // namespace tern::kafka

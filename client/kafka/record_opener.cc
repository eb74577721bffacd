#include "client/kafka/record_opener.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "protocol/wire/errc.h"

namespace tern::kafka {
namespace {

// One poll opens about this much at most, so that it is still in the cache when it is read.
constexpr std::size_t kPollBytes = 1024 * 1024;
// How much larger the first batch may become by decompression, before anything is known.
constexpr std::size_t kFirstGuess = 4;
constexpr std::size_t kForgetting = 32;

}  // namespace

// Where decompressed records go.
class RecordOpener::Room final : public FrameSink {
 public:
  explicit Room(FramePool& pool) : pool_(pool) {}

  std::span<std::byte> grow(std::size_t used, std::size_t want) override {
    if (frame_.capacity() < want) {
      FrameRef larger = pool_.acquire(want);
      if (used != 0) std::memcpy(larger.data(), frame_.data(), used);
      frame_ = std::move(larger);
    }
    return frame_.space();
  }
  FrameRef take() { return std::move(frame_); }

 private:
  FramePool& pool_;
  FrameRef frame_;
};

RecordOpener::RecordOpener(const ConsumerConfig& config, const Codecs& codecs,
                           std::shared_ptr<FramePool> pool)
    : read_committed_(config.isolation == Isolation::read_committed),
      max_records_(config.max_poll_records),
      max_decompressed_(config.max_decompressed_batch_bytes),
      pool_(std::move(pool)),
      decompressors_(codecs) {}

void RecordOpener::begin(std::size_t memory_limit, bool may_exceed) {
  memory_limit_ = memory_limit;
  may_exceed_ = may_exceed;
  bytes_ = 0;
}

RecordOpener::Outcome RecordOpener::take(ConsumerPartition& partition, internal::RecordsData& out,
                                         Failure& why) {
  for (;;) {
    if (max_records_ != 0 ? out.records >= max_records_ : bytes_ >= kPollBytes)
      return Outcome::full;
    if (partition.opened.block.count != 0) {
      hand_out(partition, out);
      continue;
    }
    if (partition.runs.empty()) return Outcome::drained;
    FetchedRun& run = partition.runs.front();
    if (!next_batch(partition, run, why)) {
      if (why) return Outcome::failed;
      partition.undelivered -= run.bytes;
      partition.runs.pop_front();
      continue;
    }
    const BatchView& batch = run.pending;
    if (needs_frame(batch)) {
      const std::size_t guess = kFirstGuess * batch.payload.size();
      const std::size_t need = largest_ != 0 ? std::max(largest_, batch.payload.size()) : guess;
      const bool exceeds = pool_->held_bytes() + need > memory_limit_;
      if (exceeds && !(may_exceed_ && out.records == 0)) return Outcome::blocked;
    }
    run.has_pending = false;
    const std::size_t size = batch.whole.size();
    run.bytes -= size;
    partition.undelivered -= size;
    if (left_out(run, batch)) {
      move_on(partition, out, batch.header.next_offset(), batch.header.partition_leader_epoch);
      continue;
    }
    if (!open(partition, run, why)) return Outcome::failed;
    OpenedBatch& opened = partition.opened;
    if (opened.block.count != 0) continue;
    // Compaction has left nothing of it, or nothing from the position on.
    move_on(partition, out, opened.next_offset, opened.leader_epoch);
    opened = {};
  }
}

// Puts the next batch that holds anything at the position or after it into `run.pending`. False at
// the end of the run, or with `why` at a batch that cannot be read.
bool RecordOpener::next_batch(ConsumerPartition& partition, FetchedRun& run, Failure& why) {
  while (!run.has_pending) {
    if (!run.batches.next(run.pending)) {
      if (!run.batches.ok()) why = failure(partition, run.batches.error());
      return false;
    }
    run.has_pending = run.pending.header.next_offset() > partition.position;
  }
  return true;
}

bool RecordOpener::left_out(FetchedRun& run, const BatchView& batch) {
  const BatchHeader& header = batch.header;
  if (read_committed_) {
    while (run.next_aborted < run.aborted.size() &&
           run.aborted[run.next_aborted].first_offset <= header.last_offset()) {
      run.aborted_producers.push_back(run.aborted[run.next_aborted++].producer_id);
    }
  }
  if (header.is_control()) {
    if (read_committed_) note_control(run, batch);
    return true;
  }
  if (!read_committed_ || !header.is_transactional()) return false;
  return std::find(run.aborted_producers.begin(), run.aborted_producers.end(),
                   header.producer_id) != run.aborted_producers.end();
}

// A transaction of a producer ends with its marker. A marker may be missing (compaction) or be
// there without any data; then there is nothing to end.
void RecordOpener::note_control(FetchedRun& run, const BatchView& batch) {
  RecordBlock block;
  RecordsError error;
  if (needs_frame(batch) || !validate_records(batch.header, batch.payload, block, error)) return;
  if (block.count == 0) return;
  const auto control = parse_control(*block.begin());
  if (!control || control->type == ControlType::other) return;
  std::erase(run.aborted_producers, batch.header.producer_id);
}

// On success partition.opened holds what there is from the position on, possibly nothing.
bool RecordOpener::open(ConsumerPartition& partition, const FetchedRun& run, Failure& why) {
  const BatchView& batch = run.pending;
  OpenedBatch& opened = partition.opened;
  RecordsError error;
  Room room(*pool_);
  if (!open_batch(batch, decompressors_, room, max_decompressed_, opened.block, error)) {
    opened = {};
    why = failure(partition, error);
    return false;
  }
  opened.frame = room.take();
  if (opened.frame) {
    // One giant among many small ones is forgotten by and by.
    largest_ = std::max(largest_ - largest_ / kForgetting, opened.frame.capacity());
  } else {
    opened.frame = run.frame;
  }
  opened.next_offset = std::max(batch.header.next_offset(),
                                opened.block.base_offset + opened.block.last_offset_delta + 1);
  opened.leader_epoch = batch.header.magic == kMagicV2 ? batch.header.partition_leader_epoch : -1;
  if (opened.block.base_offset < partition.position) skip_to_position(partition);
  return true;
}

// A batch may begin before what was asked for.
void RecordOpener::skip_to_position(ConsumerPartition& partition) {
  RecordBlock& block = partition.opened.block;
  RecordView view;
  const std::byte* at = block.data;
  while (block.count != 0) {
    const std::byte* const next = decode_record(block, at, view);
    if (view.offset >= partition.position) break;
    at = next;
    --block.count;
  }
  block.size -= static_cast<std::size_t>(at - block.data);
  block.data = at;
}

// Moves the position, past what was handed out or past what nobody is to see.
void RecordOpener::move_on(ConsumerPartition& partition, internal::RecordsData& out,
                           std::int64_t offset, std::int32_t leader_epoch) {
  partition.advance(offset, leader_epoch);
  if (out.ends.empty() || out.ends.back().partition != partition.gauge) return;
  out.ends.back().offset = offset;
  out.ends.back().leader_epoch = leader_epoch;
}

void RecordOpener::hand_out(ConsumerPartition& partition, internal::RecordsData& out) {
  OpenedBatch& opened = partition.opened;
  RecordBlock part = opened.block;
  std::int64_t next_offset = opened.next_offset;
  const std::size_t room =
      max_records_ == 0 ? std::numeric_limits<std::size_t>::max() : max_records_ - out.records;
  const bool whole = static_cast<std::size_t>(part.count) <= room;
  if (!whole) {
    part.count = static_cast<std::int32_t>(room);
    RecordView view;
    const std::byte* at = part.data;
    for (std::int32_t left = part.count; left != 0; --left) at = decode_record(part, at, view);
    part.size = static_cast<std::size_t>(at - part.data);
    opened.block.data = at;
    opened.block.size -= part.size;
    opened.block.count -= part.count;
    next_offset = view.offset + 1;
  }
  out.records += static_cast<std::size_t>(part.count);
  bytes_ += part.size;
  out.batches.emplace_back(part, *partition.gauge, opened.leader_epoch);
  if (out.frames.empty() || out.frames.back().data() != opened.frame.data()) {
    out.frames.push_back(opened.frame);
  }
  if (out.ends.empty() || out.ends.back().partition != partition.gauge) {
    out.ends.push_back({.partition = partition.gauge,
                        .offset = next_offset,
                        .leader_epoch = opened.leader_epoch,
                        .begin = partition.position,
                        .begin_epoch = partition.position_epoch});
  }
  move_on(partition, out, next_offset, opened.leader_epoch);
  if (whole) opened = {};
}

Failure RecordOpener::failure(const ConsumerPartition& partition, const RecordsError& error) const {
  std::string text = partition.name() + " at offset " + std::to_string(partition.position) + ": ";
  if (error.code == wire::Errc::missing_codec) {
    const std::string codec = name(error.codec);
    return Failure(make_error_code(ClientErrc::codec_missing),
                   text + "the batch is compressed with " + codec +
                       ", for which ClientConfig::codecs holds no codec; //client/codecs has lz4, "
                       "snappy and zstd to add there");
  }
  text += error.message();
  if (error.code == wire::Errc::too_large) {
    text += " (max_decompressed_batch_bytes is " + std::to_string(max_decompressed_) + ")";
  }
  return Failure(error.code, std::move(text));
}

}  // namespace tern::kafka

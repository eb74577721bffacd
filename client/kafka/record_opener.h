// RecordOpener: turns fetched batches into records that can be handed out: checks sums and framing,
// decompresses, leaves out what a reader must not see (control batches, aborted transactions,
// records before the position), and moves the position on.
//
// A batch is opened when a poll asks for it and not before, so that its bytes are still in the
// cache when the user reads them, and so that decompressed memory exists only for what is handed
// out.
//
// Belongs to the engine's executor.
#ifndef TERN_CLIENT_KAFKA_RECORD_OPENER_H_
#define TERN_CLIENT_KAFKA_RECORD_OPENER_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "client/core/error.h"
#include "client/core/frame.h"
#include "client/kafka/config.h"
#include "client/kafka/consumer_partition.h"
#include "client/kafka/consumer_records.h"
#include "protocol/kafka/compression.h"

namespace tern::kafka {

class RecordOpener {
 public:
  enum class Outcome {
    drained,  // the partition has nothing more
    full,     // the limit of the poll is reached; there may be more
    blocked,  // there is no room to decompress into
    failed,   // what comes next cannot be read; the position stands before it
  };

  RecordOpener(const ConsumerConfig& config, const Codecs& codecs, std::shared_ptr<FramePool> pool);

  // Memory that a batch takes when it is decompressed: the largest lately.
  std::size_t largest_opened() const { return largest_; }

  // Begins a poll. `may_exceed`: one batch may be decompressed even if there is no room for it,
  // because nobody else holds anything that could be given back.
  void begin(std::size_t memory_limit, bool may_exceed);
  // Moves records of `partition` to `out`. `why` is set if the outcome is `failed`.
  Outcome take(ConsumerPartition& partition, internal::RecordsData& out, Failure& why);

 private:
  class Room;

  bool next_batch(ConsumerPartition& partition, FetchedRun& run, Failure& why);
  bool left_out(FetchedRun& run, const BatchView& batch);
  void note_control(FetchedRun& run, const BatchView& batch);
  bool open(ConsumerPartition& partition, const FetchedRun& run, Failure& why);
  void skip_to_position(ConsumerPartition& partition);
  void move_on(ConsumerPartition& partition, internal::RecordsData& out, std::int64_t offset,
               std::int32_t leader_epoch);
  void hand_out(ConsumerPartition& partition, internal::RecordsData& out);
  Failure failure(const ConsumerPartition& partition, const RecordsError& error) const;

  const bool read_committed_;
  const std::size_t max_records_;
  const std::size_t max_decompressed_;
  const std::shared_ptr<FramePool> pool_;
  Decompressors decompressors_;
  std::size_t largest_ = 0;
  std::size_t memory_limit_ = 0;
  bool may_exceed_ = false;
  std::size_t bytes_ = 0;  // opened in this poll
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_RECORD_OPENER_H_

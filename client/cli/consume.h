// What the two ways of `tern kafka consume` share: reading the partitions of a topic
// (consume_command.cc), and being a member of a group (consume_group.cc).
#ifndef TERN_CLIENT_CLI_CONSUME_H_
#define TERN_CLIENT_CLI_CONSUME_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/offsets.h"
#include "client/cli/options.h"
#include "client/cli/output.h"
#include "client/cli/session.h"
#include "client/cli/text_format.h"
#include "client/kafka/consumer_records.h"

namespace tern::cli {

struct ConsumeOptions {
  CommonOptions common;
  std::string group;                // empty: none
  std::vector<std::string> topics;  // of a group; those that begin with ^ are regular expressions
  std::int32_t partition = -1;      // -1: all
  std::vector<std::string> starts;  // -o, as given
  OffsetRange range;                // the same; not for a group
  bool exit_at_end = false;
  std::int64_t count = std::numeric_limits<std::int64_t>::max();
  std::optional<std::string> format;
  std::string delimiter = "\n";
  std::optional<std::string> key_delimiter;
  bool offsets = false;
  bool nulls = false;
  std::optional<PackFormat> key_format;  // -s
  std::optional<PackFormat> value_format;
  bool unbuffered = false;

  bool counted() const { return count != std::numeric_limits<std::int64_t>::max(); }
  bool ends_itself() const { return exit_at_end || counted(); }
};

// Records to standard output, in the form that was asked for. One thread.
class RecordWriter {
 public:
  // Throws UsageError for a format that makes no sense. `options` has to outlive this.
  explicit RecordWriter(const ConsumeOptions& options);

  // False: it is time to stop, as nobody reads any more or the record cannot be written and -E was
  // not given. `broker` -1: not known.
  bool write(const kafka::ConsumerRecord& record, std::int32_t broker);
  // Until this has been called and the reader is still there, nothing counts as written.
  void flush() { output_.flush(); }
  bool reader_gone() { return output_.reader_gone(); }
  // Some record could not be written in the form that was asked for; that was said.
  bool failed() const { return failed_; }
  // All that was written up to now has been flushed.
  bool is_flushed() { return output_.buffer().empty(); }

  std::int64_t count() const { return count_; }
  std::int64_t bytes() const { return bytes_; }  // of keys and values

 private:
  const ConsumeOptions& options_;
  const TextFormat format_;
  Output output_;
  Complaints complaints_;
  bool failed_ = false;
  std::int64_t count_ = 0;
  std::int64_t bytes_ = 0;
};

// As a member of the group, until the end that was asked for or an interrupt. Exit status.
int run_member(Session& session, const ConsumeOptions& options);

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_CONSUME_H_

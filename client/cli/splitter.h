// Cuts a stream of bytes into records at a delimiter. No copy and no allocation per record: records
// are views into the one buffer that is read into. Memory: never more than `longest` bytes, one
// read and the delimiter.
#ifndef TERN_CLIENT_CLI_SPLITTER_H_
#define TERN_CLIENT_CLI_SPLITTER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tern::cli {

class Splitter {
 public:
  enum class Step {
    record,    // there is one
    more,      // fill() is needed, or the input has ended
    too_long,  // one was longer than `longest` and has been passed over
  };

  // An empty delimiter: the whole input is one record.
  Splitter(std::string delimiter, std::size_t longest);

  // Where the next bytes go; ends the life of records handed out.
  std::span<char> room();
  void filled(std::size_t bytes) { end_ += bytes; }
  // No more will come: what is left, if anything, is the last record.
  void finish() { finished_ = true; }

  // `record` is good until room().
  Step next(std::string_view& record);

  // Records so far, those too long included: the number of the last one, from 1.
  std::int64_t count() const { return count_; }

 private:
  Step cut(std::size_t length, std::size_t delimiter, std::string_view& record);

  const std::string delimiter_;
  const std::size_t longest_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;    // of the record being read
  std::size_t scanned_ = 0;  // no delimiter begins before this
  std::size_t end_ = 0;      // of what was read
  bool skipping_ = false;    // the record being read is too long
  bool finished_ = false;
  std::int64_t count_ = 0;
};

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_SPLITTER_H_

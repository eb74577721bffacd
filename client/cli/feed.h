// What `produce` and `publish` send: the lines of standard input or of files, or files as a whole.
// One thread reads, cuts and hands on; while that waits for room, reading waits too.
#ifndef TERN_CLIENT_CLI_FEED_H_
#define TERN_CLIENT_CLI_FEED_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/cli/interrupt.h"
#include "client/cli/progress.h"
#include "client/cli/splitter.h"

namespace tern::cli {

// Where something comes from, for those who have to be told that it is wrong.
struct Place {
  const std::string& source;
  const char* unit;     // "record"
  std::int64_t number;  // from 1; 0: the source as a whole

  std::string text() const;
};

class Feed {
 public:
  struct Style {
    const char* doing;  // "producing"
    const char* unit;   // "record"
    std::string delimiter;
    std::size_t longest;  // in bytes; what is longer is refused
    const char* longer;   // the option that allows more, "-X max.request.size=N"; empty: none does
  };
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

 protected:
  Feed(const Interrupt& interrupt, Style style) : interrupt_(interrupt), style_(std::move(style)) {}
  virtual ~Feed() = default;

  // All files, each as a whole or, with `lines`, cut; without any, standard input, cut. False:
  // interrupted before the end. Throws what the hooks do.
  bool feed(const std::vector<std::string>& files, bool lines);

  // While something is waited for.
  Progress* progress() { return progress_; }
  std::int64_t progress_done() const { return bytes_read_ >= 0 ? bytes_read_ : done(); }

 private:
  // Nothing more is wanted.
  virtual bool enough() const = 0;
  // One that is not too long; of lines, one that is not empty. `text` is good during the call.
  virtual void take(std::string_view text, const Place& place) = 0;
  virtual void refuse(const Place& place, const std::string& why) = 0;
  // How many have been dealt with, for the bar.
  virtual std::int64_t done() const = 0;
  // After each piece that was read and handed on.
  virtual void after_piece() {}

  bool feed_lines(const std::string& path);
  bool feed_whole(const std::string& path);
  void take_lines(Splitter& splitter, const std::string& source);

  const Interrupt& interrupt_;
  const Style style_;
  Progress* progress_ = nullptr;
  std::int64_t bytes_read_ = -1;  // of a source whose size is known; -1: what is done is counted
};

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_FEED_H_

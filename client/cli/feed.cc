#include "client/cli/feed.h"

#include <unistd.h>

#include "client/cli/source.h"

namespace tern::cli {
namespace {

// The bar while it is there.
class Shown {
 public:
  Shown(Progress*& slot, Progress& progress) : slot_(slot) { slot_ = &progress; }
  ~Shown() { slot_ = nullptr; }
  Shown(const Shown&) = delete;
  Shown& operator=(const Shown&) = delete;

 private:
  Progress*& slot_;
};

}  // namespace

std::string Place::text() const {
  return number == 0 ? source : source + ", " + unit + " " + std::to_string(number);
}

bool Feed::feed(const std::vector<std::string>& files, bool lines) {
  if (files.empty()) return feed_lines("");
  for (const std::string& file : files) {
    if (!(lines ? feed_lines(file) : feed_whole(file))) return false;
    if (enough()) break;
  }
  return true;
}

bool Feed::feed_lines(const std::string& path) {
  Source source(path);
  Splitter splitter(style_.delimiter, style_.longest);
  Progress progress(style_.doing, source.size(),
                    source.size() ? "bytes" : std::string(style_.unit) + "s");
  if (isatty(source.fd()) != 0) progress.disable();
  const Shown shown(progress_, progress);
  std::int64_t bytes = 0;
  bool ended = false;
  while (!ended && !enough()) {
    if (!interrupt_.wait_readable(source.fd())) break;
    const std::size_t got = source.read(splitter.room());
    splitter.filled(got);
    bytes += static_cast<std::int64_t>(got);
    ended = got == 0;
    if (ended) splitter.finish();
    take_lines(splitter, source.name());
    after_piece();
    bytes_read_ = source.size() ? bytes : -1;
    progress.show(progress_done());
  }
  return ended || enough();
}

void Feed::take_lines(Splitter& splitter, const std::string& source) {
  std::string_view line;
  while (!enough()) {
    const Splitter::Step step = splitter.next(line);
    if (step == Splitter::Step::more) return;
    const Place place{source, style_.unit, splitter.count()};
    if (step == Splitter::Step::too_long) {
      refuse(place, "longer than " + std::to_string(style_.longest) + " bytes" +
                        (*style_.longer ? std::string("; ") + style_.longer + " allows more" : ""));
    } else if (!line.empty()) {
      take(line, place);
    }
  }
}

bool Feed::feed_whole(const std::string& path) {
  const Place place{path, style_.unit, 0};
  Source source(path);
  std::string content;
  std::vector<char> piece(std::size_t{1} << 20);
  for (;;) {
    if (!interrupt_.wait_readable(source.fd())) return false;
    const std::size_t got = source.read(piece);
    if (got == 0) break;
    content.append(piece.data(), got);
    if (content.size() > style_.longest) {
      const std::string more =
          *style_.longer ? std::string(style_.longer) + " allows more, or " : "";
      refuse(place, "longer than " + std::to_string(style_.longest) + " bytes; " + more +
                        "-l sends its lines");
      return true;
    }
  }
  take(content, place);
  return true;
}

}  // namespace tern::cli

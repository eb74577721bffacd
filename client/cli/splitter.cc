#include "client/cli/splitter.h"

#include <algorithm>
#include <cstring>

namespace tern::cli {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;

}  // namespace

Splitter::Splitter(std::string delimiter, std::size_t longest)
    : delimiter_(std::move(delimiter)), longest_(longest) {}

std::span<char> Splitter::room() {
  if (begin_ != 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    scanned_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.size() < end_ + kReadBytes) {
    const std::size_t most = longest_ + delimiter_.size() + kReadBytes;
    buffer_.resize(
        std::clamp(2 * buffer_.size(), end_ + kReadBytes, std::max(most, end_ + kReadBytes)));
  }
  return {buffer_.data() + end_, kReadBytes};
}

Splitter::Step Splitter::cut(std::size_t length, std::size_t delimiter, std::string_view& record) {
  record = {buffer_.data() + begin_, length};
  begin_ += length + delimiter;
  scanned_ = begin_;
  ++count_;
  if (skipping_ || length > longest_) {
    skipping_ = false;
    return Step::too_long;
  }
  return Step::record;
}

Splitter::Step Splitter::next(std::string_view& record) {
  const char* at = nullptr;
  const char* from = buffer_.data() + scanned_;
  const std::size_t left = end_ - scanned_;
  if (delimiter_.size() == 1) {
    at = left == 0 ? nullptr : static_cast<const char*>(std::memchr(from, delimiter_[0], left));
  } else if (!delimiter_.empty() && left != 0) {
    at = static_cast<const char*>(memmem(from, left, delimiter_.data(), delimiter_.size()));
  }
  if (at) {
    return cut(static_cast<std::size_t>(at - buffer_.data()) - begin_, delimiter_.size(), record);
  }
  if (finished_) {
    if (begin_ == end_ && !skipping_) return Step::more;
    return cut(end_ - begin_, 0, record);
  }
  // The beginning of a delimiter may be there already.
  const std::size_t tail = delimiter_.empty() ? 0 : delimiter_.size() - 1;
  scanned_ = std::max(scanned_, end_ - std::min(end_, tail));
  if (skipping_ || end_ - begin_ > longest_ + tail) {
    skipping_ = true;
    begin_ = scanned_;
  }
  return Step::more;
}

}  // namespace tern::cli

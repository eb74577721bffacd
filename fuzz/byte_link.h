// The far end of a connection in a simulated world: sends and keeps bytes, understands none.
#ifndef TERN_FUZZ_BYTE_LINK_H_
#define TERN_FUZZ_BYTE_LINK_H_

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "client/core/ports.h"

namespace tern::fuzz {

class ByteLink : public Link {
 public:
  explicit ByteLink(Network& network) : network_(network) {}

  LinkId id;  // to be set by whoever opens or accepts it
  bool closed = false;
  std::string in;

  void send(std::string_view bytes) {
    if (closed) return;
    (gathered_ ? later_ : out_) += bytes;
    network_.want_write(id);
  }
  void close() {
    if (!closed) network_.close(id);
  }

  std::span<std::byte> read_space() override { return space_; }
  void on_read(std::size_t n, Now) override {
    in.append(reinterpret_cast<const char*>(space_.data()), n);
    on_bytes();
  }
  void gather(BufferList& list) override {
    gathered_ = !out_.empty();
    list.add(out_.data(), out_.size());
  }
  void on_written(std::size_t n, Now) override {
    out_.erase(0, n);
    out_ += std::exchange(later_, {});
    gathered_ = false;
  }
  void on_open(Now) override {}
  void on_closed(Stage, std::error_code, Now) override { closed = true; }

 protected:
  // More has been added to `in`.
  virtual void on_bytes() {}
  ~ByteLink() = default;

 private:
  Network& network_;
  std::array<std::byte, 4096> space_;
  std::string out_;
  std::string later_;  // what came while out_ was with the network
  bool gathered_ = false;
};

// A frame, its size in front.
inline std::string sized(std::string_view body) {
  std::string frame;
  for (int shift = 24; shift >= 0; shift -= 8) {
    frame.push_back(static_cast<char>(body.size() >> shift & 0xff));
  }
  return frame.append(body);
}

}  // namespace tern::fuzz

#endif  // TERN_FUZZ_BYTE_LINK_H_

#include "bench/amqp/null_network.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <system_error>
#include <utility>

namespace tern::bench::amqp {
namespace {

[[noreturn]] void fail(const char* why) {
  std::fprintf(stderr, "null network: %s\n", why);
  std::exit(1);
}

// As memcpy(), which above some size has the processor repeat one instruction for every byte, and
// callgrind count each of them.
void copy_in_pieces(void* to, const void* from, std::size_t n) {
  constexpr std::size_t kPiece = 1024;
  auto* at = static_cast<char*>(to);
  const auto* source = static_cast<const char*>(from);
  for (; n > kPiece; at += kPiece, source += kPiece, n -= kPiece) std::memcpy(at, source, kPiece);
  std::memcpy(at, source, n);
}

}  // namespace

LinkId NullNetwork::open(const Endpoint&, Link& link) {
  if (link_ != nullptr) fail("there is one connection here");
  link_ = &link;
  NullPeer::Io& io = *this;
  peer_ = std::make_unique<NullPeer>(settings_, totals_, io);
  woken_ = true;
  return {0, 1};
}

void NullNetwork::close(LinkId) { fail("the engine closed its connection"); }

ListenerId NullNetwork::listen(const Endpoint&, Acceptor&, std::error_code& error, Endpoint*) {
  error = std::make_error_code(std::errc::operation_not_supported);
  return {};
}

void NullNetwork::pause_read(LinkId, bool) { fail("the engine paused reading"); }

bool NullNetwork::send(const char* data, std::size_t size) {
  while (size > 0) {
    const std::span<std::byte> space = link_->read_space();
    const std::size_t n = std::min(size, space.size());
    copy_in_pieces(space.data(), data, n);
    ++calls_;
    link_->on_read(n, now_);
    data += n;
    size -= n;
  }
  return true;
}

void NullNetwork::write() {
  while (std::exchange(wants_write_, false)) {
    gathered_.clear();
    link_->gather(gathered_);
    if (gathered_.bytes() == 0) return;
    ++calls_;
    std::size_t copied = 0;
    const auto give = [&] {
      if (!peer_->added(std::exchange(copied, 0))) fail("the peer ended the connection");
    };
    for (const BufferList::Piece& piece : gathered_.pieces()) {
      const auto* at = static_cast<const char*>(piece.data);
      for (std::size_t left = piece.size; left > 0;) {
        const std::span<char> space = peer_->space().subspan(copied);
        const std::size_t n = std::min(left, space.size());
        copy_in_pieces(space.data(), at, n);
        at += n;
        left -= n;
        copied += n;
        if (n == space.size()) give();
      }
    }
    link_->on_written(gathered_.bytes(), now_);
    give();
    wants_write_ = true;  // as a socket asks again
  }
}

void NullNetwork::turn() {
  const bool opens = link_ != nullptr && !std::exchange(opened_, true);
  if (opens) link_->on_open(now_);
  if (!std::exchange(woken_, false) && !wants_write_ && !opens) {
    fail("nothing is left to do, and it is not done");
  }
  if (link_ != nullptr) write();
  machine_->step(now_);
  machine_->run_completions();
}

}  // namespace tern::bench::amqp

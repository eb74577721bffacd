#include "client/tls/network.h"

#include <utility>

#include "client/tls/stream.h"

namespace tern::tls {

TlsNetwork::TlsNetwork(Network& network, Timers& timers, std::shared_ptr<const Context> context)
    : network_(network), timers_(timers), context_(std::move(context)) {}

TlsNetwork::~TlsNetwork() = default;

TlsStream* TlsNetwork::find(LinkId id) const {
  if (id.generation == 0 || id.index >= streams_.size()) return nullptr;
  TlsStream* const stream = streams_[id.index].get();
  return stream != nullptr && stream->id == id ? stream : nullptr;
}

LinkId TlsNetwork::open(const Endpoint& endpoint, Link& link) {
  auto stream = std::make_unique<TlsStream>(*this, endpoint, link);
  const LinkId id = network_.open(endpoint, *stream);
  if (!id) return id;
  stream->id = id;
  if (id.index >= streams_.size()) streams_.resize(id.index + std::size_t{1});
  streams_[id.index] = std::move(stream);
  return id;
}

void TlsNetwork::close(LinkId id) {
  if (TlsStream* const stream = find(id)) stream->close();
}

ListenerId TlsNetwork::listen(const Endpoint&, Acceptor&, std::error_code& error, Endpoint*) {
  error = std::make_error_code(std::errc::operation_not_supported);
  return {};
}

void TlsNetwork::want_write(LinkId id) {
  if (TlsStream* const stream = find(id)) stream->want_write();
}

void TlsNetwork::pause_read(LinkId id, bool paused) {
  if (TlsStream* const stream = find(id)) stream->pause_read(paused);
}

}  // namespace tern::tls

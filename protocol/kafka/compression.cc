#include "protocol/kafka/compression.h"

#include <algorithm>

namespace tern::kafka {

const char* name(Compression compression) {
  switch (compression) {
    case Compression::none:
      return "none";
    case Compression::gzip:
      return "gzip";
    case Compression::snappy:
      return "snappy";
    case Compression::lz4:
      return "lz4";
    case Compression::zstd:
      return "zstd";
  }
  return "unknown";
}

const Codec* find_codec(const Codecs& codecs, Compression id) {
  for (const std::shared_ptr<const Codec>& codec : codecs) {
    if (codec != nullptr && codec->id() == id) return codec.get();
  }
  return nullptr;
}

Decompressor* Decompressors::find(Compression id) {
  const auto index = static_cast<std::size_t>(id);
  if (index >= made_.size()) return nullptr;
  if (made_[index] == nullptr) {
    const Codec* codec = find_codec(codecs_, id);
    if (codec == nullptr) return nullptr;
    made_[index] = codec->make_decompressor();
  }
  return made_[index].get();
}

std::span<std::byte> VectorChunkSink::next(std::size_t used) {
  used_ += used;
  if (used_ >= limit_) return {};
  const std::size_t room = std::min(limit_ - used_, std::max<std::size_t>(used_, 512));
  bytes_.resize(used_ + room);
  return std::span(bytes_).subspan(used_);
}

std::vector<std::byte> VectorChunkSink::take(std::size_t size) {
  bytes_.resize(size);
  used_ = 0;
  return std::move(bytes_);
}

std::span<std::byte> VectorFrameSink::grow(std::size_t used, std::size_t want) {
  static_cast<void>(used);  // a vector keeps all of it
  if (bytes_.size() < want) bytes_.resize(want);
  return bytes_;
}

}  // namespace tern::kafka

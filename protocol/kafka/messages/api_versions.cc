#include "protocol/kafka/messages/api_versions.h"

#include "protocol/kafka/codec_impl.h"

namespace tern::kafka {

template struct MessageCodec<ApiVersionsRequest>;
template struct MessageCodec<ApiVersionsResponse>;

bool decode_api_versions_response(wire::Reader& reader, std::int16_t version, wire::Arena& arena,
                                  ApiVersionsResponse& out) {
  constexpr std::int16_t kUnsupportedVersion = 35;
  wire::Reader ahead = reader;  // the error code comes first in every version
  const bool refused = ahead.i16() == kUnsupportedVersion;
  return decode(reader, refused ? std::int16_t{0} : version, arena, out);
}

}  // namespace tern::kafka

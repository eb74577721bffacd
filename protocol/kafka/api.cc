#include "protocol/kafka/api.h"

#include <algorithm>
#include <array>

#include "protocol/kafka/messages/all.h"
#include "protocol/wire/varint.h"

namespace tern::kafka {
namespace {

template <class List>
struct ApiTable;
template <class... Requests>
struct ApiTable<wire::TypeList<Requests...>> {
  static constexpr std::array<Api, sizeof...(Requests)> apis{Requests::api...};
};
constexpr const auto& kApis = ApiTable<AllRequests>::apis;

constexpr bool ascending() {
  for (std::size_t i = 1; i < kApis.size(); ++i) {
    if (kApis[i].key <= kApis[i - 1].key) return false;
  }
  return true;
}
static_assert(ascending(), "the list of messages is in order of key");

constexpr std::int16_t kApiVersions = 18;

// The rule of the protocol for every API; a request of a version that we do not know follows it
// too.
bool flexible(std::int16_t key, std::int16_t version) {
  const Api* api = find_api(key);
  return api != nullptr && api->flexible(version);
}

std::string_view sendable_client_id(const RequestHeader& header) {
  return header.client_id.view().substr(0, 0x7fff);
}

// Tagged fields of a header: none is defined, all are skipped by their size.
bool skip_tags(wire::Reader& reader) {
  const std::uint32_t count = reader.uvarint("header tags");
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    reader.uvarint("header tag");
    reader.skip(reader.uvarint("header tag size"), "header tag");
  }
  return reader.ok();
}

}  // namespace

std::span<const Api> all_apis() { return kApis; }

const Api* find_api(std::int16_t key) {
  const auto it =
      std::lower_bound(kApis.begin(), kApis.end(), key,
                       [](const Api& api, std::int16_t wanted) { return api.key < wanted; });
  return it != kApis.end() && it->key == key ? &*it : nullptr;
}

std::int16_t request_header_version(std::int16_t key, std::int16_t version) {
  return flexible(key, version) ? 2 : 1;
}

std::int16_t response_header_version(std::int16_t key, std::int16_t version) {
  return key != kApiVersions && flexible(key, version) ? 1 : 0;
}

std::size_t request_header_size(const RequestHeader& header) {
  const std::size_t tags = request_header_version(header.api_key, header.api_version) >= 2 ? 1 : 0;
  return 2 + 2 + 4 + 2 + sendable_client_id(header).size() + tags;
}

void encode_request_header(const RequestHeader& header, wire::Writer& writer) {
  const std::string_view client_id = sendable_client_id(header);
  writer.i16(header.api_key);
  writer.i16(header.api_version);
  writer.i32(header.correlation_id);
  writer.i16(header.client_id.is_null() ? std::int16_t{-1}
                                        : static_cast<std::int16_t>(client_id.size()));
  writer.bytes(client_id);
  if (request_header_version(header.api_key, header.api_version) >= 2) writer.uvarint(0);
}

bool decode_request_header(wire::Reader& reader, RequestHeader& out) {
  out.api_key = reader.i16("api_key");
  out.api_version = reader.i16("api_version");
  out.correlation_id = reader.i32("correlation_id");
  const std::int16_t length = reader.i16("client_id");
  if (length < -1) return reader.fail(wire::Errc::bad_length, "client_id");
  if (length < 0) {
    out.client_id = Text::null();
  } else {
    const std::span<const std::byte> raw =
        reader.bytes(static_cast<std::size_t>(length), "client_id");
    out.client_id = std::string_view(reinterpret_cast<const char*>(raw.data()), raw.size());
  }
  if (request_header_version(out.api_key, out.api_version) >= 2) skip_tags(reader);
  return reader.ok();
}

std::size_t response_header_size(std::int16_t key, std::int16_t version) {
  return response_header_version(key, version) >= 1 ? 5 : 4;
}

void encode_response_header(std::int16_t key, std::int16_t version, std::int32_t correlation_id,
                            wire::Writer& writer) {
  writer.i32(correlation_id);
  if (response_header_version(key, version) >= 1) writer.uvarint(0);
}

bool skip_response_header_tags(wire::Reader& reader, std::int16_t key, std::int16_t version) {
  return response_header_version(key, version) >= 1 ? skip_tags(reader) : reader.ok();
}

bool decode_response_header(wire::Reader& reader, std::int16_t key, std::int16_t version,
                            std::int32_t& correlation_id) {
  correlation_id = reader.i32("correlation_id");
  return skip_response_header_tags(reader, key, version);
}

}  // namespace tern::kafka

// Messages from the generator, in all their versions: what is encoded, with and without splices,
// decodes to the same message.
//
// Input: which message (1 byte), a seed (8), the most elements of an array (1), the longest text
// (2).

#include <algorithm>
#include <vector>

#include "fuzz/target.h"
#include "protocol/kafka/generate.h"
#include "protocol/kafka/messages/all.h"

namespace tern::kafka {
namespace {

using fuzz::require;

template <class M>
std::string title(std::int16_t version) {
  return message_name<M>() + " v" + std::to_string(version);
}

template <class M>
std::vector<std::byte> encode_inline(const M& message, std::int16_t version,
                                     const EncodedSize& size) {
  std::vector<std::byte> bytes(size.total);
  wire::Writer writer(bytes);
  encode(message, version, writer);
  require(writer.position() == bytes.size(), "encoded_size() is exact");
  return bytes;
}

// As a gathered write would put it together.
template <class M>
std::vector<std::byte> encode_spliced(const M& message, std::int16_t version,
                                      const EncodedSize& size) {
  std::vector<std::byte> flat(size.total - size.spliced);
  std::vector<wire::Splice> splices(size.splices);
  wire::Writer writer(flat, splices);
  encode(message, version, writer);
  require(writer.position() == flat.size(), "the size without splices is exact");
  require(writer.splices_used() == splices.size(), "the number of splices is exact");
  std::vector<std::byte> whole;
  std::size_t done = 0;
  const auto take = [&](std::size_t end) {
    whole.insert(whole.end(), flat.begin() + static_cast<std::ptrdiff_t>(done),
                 flat.begin() + static_cast<std::ptrdiff_t>(end));
    done = end;
  };
  for (const wire::Splice& splice : splices) {
    take(splice.at);
    const auto data = splice.data.span();
    whole.insert(whole.end(), data.begin(), data.end());
  }
  take(flat.size());
  return whole;
}

template <class M>
void run(std::uint64_t seed, std::int16_t version, GenerateLimits limits) {
  Random random(seed);
  wire::Arena made(std::size_t{1} << 24);
  const M message = generate<M>(random, version, made, limits);
  const auto size = encoded_size(message, version);
  require(size.has_value(), "what was generated for a version can be encoded in it");
  const std::vector<std::byte> bytes = encode_inline(message, version, *size);
  require(encode_spliced(message, version, *size) == bytes, "splices change nothing");
  wire::Reader reader(bytes);
  wire::Arena arena(wire::Arena::limit_for(bytes.size()));
  M same;
  require(decode(reader, version, arena, same), "what was encoded can be decoded");
  require(reader.expect_end(), "decode() reads all that encode() wrote");
  require(message == same, "a message stays the same");
  if (!fuzz::milestones_wanted()) return;
  fuzz::reached(title<M>(version));
  if (size->splices != 0) fuzz::reached(title<M>(version) + " with splices");
}

template <class M>
constexpr bool has_records() {
  return M::api.key == ProduceRequest::api.key
             ? is_request<M>
             : M::api.key == FetchRequest::api.key && !is_request<M>;
}

}  // namespace
}  // namespace tern::kafka

std::vector<std::string> tern::fuzz::milestones() {
  std::vector<std::string> all;
  kafka::AllDescribed::for_each([&]<class M>() {
    for (std::int16_t v = M::api.versions.min; v <= M::api.versions.max; ++v) {
      all.push_back(kafka::title<M>(v));
      if (kafka::has_records<M>()) all.push_back(kafka::title<M>(v) + " with splices");
    }
  });
  return all;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tern::kafka;
  tern::fuzz::Input input(data, size);
  const std::size_t wanted = input.u8();
  const std::uint64_t seed = input.u64();
  const GenerateLimits limits{.max_array = input.u8() % 6U, .max_text = input.u16() % 4096U};
  std::size_t index = 0;
  AllDescribed::for_each([&]<class M>() {
    if (index++ != wanted) return;
    for (std::int16_t v = M::api.versions.min; v <= M::api.versions.max; ++v) {
      run<M>(seed, v, limits);
    }
  });
  return 0;
}

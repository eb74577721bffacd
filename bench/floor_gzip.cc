// The codec's own price: what zlib takes to compress, or to unpack, batches of the benchmark's
// records at a level, with one stream kept and reset. Added to the uncompressed floor it is the
// floor of the gzip rows of bench/compare.
//
//   floor_gzip --do produce|consume --records N --size BYTES [--level L] [--batch-records N]
#include <zlib.h>

#include <cstdint>
#include <cstdio>
#include <string>

#include "bench/measure.h"
#include "bench/wire.h"

namespace tern::bench {
namespace {

std::string plain_records(std::size_t size, std::int32_t count) {
  const Payloads payloads(size);
  std::string records(static_cast<std::size_t>(count) * (size + 32), '\0');
  char* at = records.data();
  for (std::int32_t i = 0; i < count; ++i) {
    at = put_record(at, i, 0, payloads[static_cast<std::uint64_t>(i)].data(), size);
  }
  records.resize(static_cast<std::size_t>(at - records.data()));
  return records;
}

Bytef* bytes(std::string& text) { return reinterpret_cast<Bytef*>(text.data()); }

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  using namespace tern::bench;
  Options options(argc, argv);
  const std::string what = options.text("--do", "produce");
  const std::int64_t records = options.number("--records", 100'000);
  const auto size = static_cast<std::size_t>(options.number("--size", 1000));
  const int level = static_cast<int>(options.number("--level", 6));
  const auto batch = static_cast<std::int32_t>(options.number("--batch-records", 990));
  options.done();

  std::string plain = plain_records(size, batch);
  z_stream deflater{};
  if (deflateInit2(&deflater, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    die("deflateInit2");
  }
  std::string packed(deflateBound(&deflater, static_cast<uLong>(plain.size())) + 64, '\0');
  const auto pack = [&] {
    deflateReset(&deflater);
    deflater.next_in = bytes(plain);
    deflater.avail_in = static_cast<uInt>(plain.size());
    deflater.next_out = bytes(packed);
    deflater.avail_out = static_cast<uInt>(packed.size());
    if (deflate(&deflater, Z_FINISH) != Z_STREAM_END) die("deflate");
    return deflater.total_out;
  };
  const uLong packed_size = pack();
  z_stream inflater{};
  if (inflateInit2(&inflater, 15 + 16) != Z_OK) die("inflateInit2");
  std::string unpacked(plain.size(), '\0');

  const Clock from = Clock::read();
  std::int64_t done = 0;
  for (; done < records; done += batch) {
    if (what == "produce") {
      pack();
    } else {
      inflateReset(&inflater);
      inflater.next_in = bytes(packed);
      inflater.avail_in = static_cast<uInt>(packed_size);
      inflater.next_out = bytes(unpacked);
      inflater.avail_out = static_cast<uInt>(unpacked.size());
      if (inflate(&inflater, Z_FINISH) != Z_STREAM_END) die("inflate");
    }
  }
  report("zlib", done, from, Clock::read(), 0);
  deflateEnd(&deflater);
  inflateEnd(&inflater);
  return 0;
}

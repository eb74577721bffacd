// The records of a Fetch response, whatever a broker sends: our reader and the slowest one there is
// see the same records, and what is cut off takes nothing away from what comes before.
//
// Input: where to cut (1 byte, in 255ths), then a records field. Checksums are mended.

#include <vector>

#include "fuzz/slow_records.h"
#include "fuzz/target.h"

std::vector<std::string> tern::fuzz::milestones() {
  return {"magic 2",         "magic 2 in gzip", "headers", "a control record",
          "a batch cut off", "an error",        "magic 0", "a batch that cannot be opened"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tern::fuzz;
  Input input(data, size);
  const std::size_t where = input.u8();
  std::vector<std::byte> records(input.rest().begin(), input.rest().end());
  read_fast(records, true);  // checksums as they are, mostly wrong
  mend_checksums(records);
  records.shrink_to_fit();
  const SlowResult fast = read_fast(records, true);
  require(fast == read_slowly(records), "both readers see the same");
  require(fast == read_fast(records, false), "checksums that are right change nothing");

  const std::vector<std::byte> start(
      records.begin(), records.begin() + static_cast<std::ptrdiff_t>(records.size() * where / 255));
  const SlowResult part = read_fast(start, false);
  require(part.records.size() <= fast.records.size(), "a part has no more than the whole");
  for (std::size_t i = 0; i < part.records.size(); ++i) {
    require(part.records[i] == fast.records[i], "a part has what the whole has");
  }
  return 0;
}

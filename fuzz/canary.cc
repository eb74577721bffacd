// A target with a defect: from the right six bytes on, it reads one byte beyond its memory. `./dev
// test` has to see that libFuzzer and AddressSanitizer find it and that its input is named; else
// it means nothing that the other targets report nothing.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::string_view kPassword = "sterna";
  const std::vector<std::uint8_t> copy(data, data + size);
  if (size != kPassword.size() || std::memcmp(data, kPassword.data(), size) != 0) return 0;
  const volatile std::uint8_t* const end = copy.data() + size;
  (void)*end;
  return 0;
}

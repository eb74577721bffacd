#include <asio.hpp>
#include <zlib.h>

#include "gtest/gtest.h"

namespace {

asio::awaitable<int> answer() { co_return 42; }

TEST(Toolchain, AsioCoroutinesAndZlibWork) {
  asio::io_context context;
  int got = 0;
  asio::co_spawn(context, answer(), [&got](std::exception_ptr, int value) { got = value; });
  context.run();
  EXPECT_EQ(got, 42);
  EXPECT_STREQ(zlibVersion(), ZLIB_VERSION);
}

}  // namespace

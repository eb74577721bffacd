// Acks: which of a channel's deliveries are open, and what becomes of them in transactions.
#include "client/amqp/acks.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace tern::amqp {
namespace {

class AcksTest : public ::testing::Test {
 protected:
  void deliver(std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t tag = from; tag <= to; ++tag) ASSERT_TRUE(acks.delivered(tag, true));
  }
  // "1 3+ ": 1 alone, all up to 3.
  std::string flushed() {
    std::string out;
    acks.flush([&](std::uint64_t tag, bool multiple) {
      out += std::to_string(tag) + (multiple ? "+ " : " ");
    });
    return out;
  }
  Acks acks;
};

TEST_F(AcksTest, OneForThePrefixAndOneForEachOther) {
  deliver(1, 6);
  for (const std::uint64_t tag : {2U, 1U, 5U}) EXPECT_TRUE(acks.ack(tag));
  EXPECT_FALSE(acks.ack(2));
  EXPECT_EQ(flushed(), "2+ 5 ");
  EXPECT_TRUE(acks.forget(3));
  EXPECT_TRUE(acks.ack_up_to(6));
  EXPECT_EQ(flushed(), "6+ ");
  EXPECT_EQ(acks.waiting(), 0U);
}

TEST_F(AcksTest, WhatIsRolledBackIsOpenAgain) {
  deliver(1, 6);
  EXPECT_TRUE(acks.ack(1));
  EXPECT_EQ(flushed(), "1 ");
  acks.begin_transaction();
  EXPECT_TRUE(acks.ack(2));
  EXPECT_TRUE(acks.forget(3));
  EXPECT_TRUE(acks.ack(5));
  EXPECT_EQ(flushed(), "2 5 ");
  EXPECT_FALSE(acks.ack(2));
  acks.end_transaction();
  EXPECT_TRUE(acks.ack(4));  // belongs to the next one
  acks.rolled_back();
  EXPECT_EQ(acks.waiting(), 4U);
  EXPECT_FALSE(acks.ack(1));
  EXPECT_FALSE(acks.ack(4));
  for (const std::uint64_t tag : {2U, 3U, 5U, 6U}) EXPECT_TRUE(acks.ack(tag)) << tag;
  EXPECT_EQ(flushed(), "4 2 3 5 6 ");
  acks.end_transaction();
  acks.committed();
  acks.end_transaction();
  acks.rolled_back();
  EXPECT_EQ(acks.waiting(), 0U);
  deliver(7, 7);
  EXPECT_TRUE(acks.ack(7));
  EXPECT_FALSE(acks.ack(6));
}

TEST_F(AcksTest, WhatIsRecoveredIsNotRolledBack) {
  acks.begin_transaction();
  deliver(1, 3);
  EXPECT_TRUE(acks.ack(2));
  acks.forget_all();  // 1 and 3 come again as 4 and 5
  deliver(4, 5);
  EXPECT_EQ(flushed(), "2 ");
  acks.end_transaction();
  acks.rolled_back();
  EXPECT_FALSE(acks.ack(1));
  EXPECT_FALSE(acks.ack(3));
  EXPECT_TRUE(acks.ack(2));
  EXPECT_EQ(acks.waiting(), 2U);
}

TEST_F(AcksTest, ANewChannelHasNoTransaction) {
  acks.begin_transaction();
  deliver(1, 2);
  EXPECT_TRUE(acks.ack(1));
  acks.reset();
  deliver(1, 3);
  EXPECT_TRUE(acks.ack_up_to(3));
  EXPECT_EQ(flushed(), "3+ ");
}

}  // namespace
}  // namespace tern::amqp

#include "threads/belt.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace reelfarm::threads {
namespace {

using ::testing::ElementsAre;

TEST(Belt, GivesWorkOutInItsOrderAndEndsWhenClosedAndDrained) {
  Belt<int> belt;
  EXPECT_TRUE(belt.put(1));
  EXPECT_TRUE(belt.put(2));
  belt.close();
  EXPECT_FALSE(belt.put(3)) << "nobody will take it";
  EXPECT_EQ(belt.next(), 1);
  EXPECT_EQ(belt.next(), 2);
  EXPECT_EQ(belt.next(), std::nullopt);
}

TEST(Belt, APutWaitsForRoom) {
  Belt<int> belt(2);
  std::atomic<int> put = 0;
  std::thread putting([&] {
    for (int work = 0; work < 100; ++work) {
      ASSERT_TRUE(belt.put(work));
      ++put;
    }
    belt.close();
  });
  int taken = 0;
  while (const std::optional<int> work = belt.next()) {
    EXPECT_EQ(*work, taken++);
    // Two wait, one is taken, and one may have been put since.
    EXPECT_LE(put, taken + 3);
  }
  putting.join();
  EXPECT_EQ(taken, 100);
}

TEST(Belt, DroppingLetsAWaitingPutGoAndForgetsWhatWaits) {
  Belt<std::shared_ptr<int>> belt(1);
  const auto work = std::make_shared<int>(7);
  ASSERT_TRUE(belt.put(work));
  std::thread putting([&] { EXPECT_FALSE(belt.put(work)); });
  belt.drop();
  putting.join();
  EXPECT_EQ(belt.next(), std::nullopt);
  EXPECT_EQ(work.use_count(), 1);
}

TEST(Belt, ShowsWhatWaits) {
  Belt<int> belt;
  for (const int work : {3, 4, 5}) belt.put(work);
  belt.next();
  std::vector<int> seen;
  belt.for_each([&](int work) { seen.push_back(work); });
  EXPECT_THAT(seen, ElementsAre(4, 5));
}

}  // namespace
}  // namespace reelfarm::threads

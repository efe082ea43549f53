#include "worker/agent/loop_clock.hpp"

#include <gtest/gtest.h>

namespace reelfarm::worker {
namespace {

using namespace std::chrono_literals;

TEST(LoopClock, OnlyWhatATurnTakesBeyondItsUsualTimeIsLost) {
  const auto begin = LoopClock::Clock::now();
  LoopClock loop(begin);
  EXPECT_EQ(loop.lost(begin + 200ms), 0ms);
  EXPECT_EQ(loop.lost(begin + 1200ms), 0ms);
  EXPECT_EQ(loop.lost(begin + 9200ms), 7s);
  EXPECT_EQ(loop.lost(begin + 9400ms), 0ms);
}

}  // namespace
}  // namespace reelfarm::worker

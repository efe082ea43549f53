#include "pipeline/render/turns.hpp"

#include <algorithm>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace reelfarm::render {
namespace {

TEST(Turns, WhoComesBackAtOnceDoesNotOvertake) {
  Turns turns;
  std::vector<int> order;
  std::optional<Turns::Turn> mine(std::in_place, turns);
  std::thread other([&] {
    const Turns::Turn turn(turns);
    order.push_back(2);
  });
  while (turns.waiting() == 0) std::this_thread::yield();
  order.push_back(1);
  mine.reset();
  {
    const Turns::Turn again(turns);
    order.push_back(3);
  }
  other.join();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(Turns, OneThreadAtATime) {
  Turns turns;
  int inside = 0;
  int most = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        const Turns::Turn turn(turns);
        most = std::max(most, ++inside);
        --inside;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(most, 1);
}

}  // namespace
}  // namespace reelfarm::render

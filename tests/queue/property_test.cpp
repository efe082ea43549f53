// A hundred thousand random transitions by several owners on a stopped clock: the store must stand where the oracle
// stands, and what must always hold must hold. REELFARM_PROPERTY_SEED and REELFARM_PROPERTY_STEPS run others; a seed
// replays.
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <iterator>
#include <string>

#include "tests/queue/simulation.hpp"

namespace reelfarm::queue::test {
namespace {

constexpr int kCompareEvery = 20;   ///< answers are compared at every step, all that can be read at every twentieth
constexpr std::size_t kStory = 40;  ///< steps before a failure that are told

int steps_to_take() {
  const char* wanted = std::getenv("REELFARM_PROPERTY_STEPS");
  return wanted ? std::atoi(wanted) : 100'002;
}

std::uint64_t first_seed() {
  const char* wanted = std::getenv("REELFARM_PROPERTY_SEED");
  return wanted ? std::strtoull(wanted, nullptr, 10) : 1;
}

TEST(RandomTransitions, FollowTheOracle) {
  const std::uint64_t first = first_seed();
  const std::uint64_t seeds[] = {first, first + 1, first + 2};
  for (const std::uint64_t seed : seeds) {
    Simulation simulation(seed);
    std::deque<std::string> story;
    const int steps = steps_to_take() / static_cast<int>(std::size(seeds));
    for (int i = 0; i < steps; ++i) {
      story.push_back(simulation.step());
      if (story.size() > kStory) story.pop_front();
      if (i % kCompareEvery == 0) simulation.compare();
      if (testing::Test::HasFailure()) {
        std::string tail;
        for (const std::string& line : story) tail += line + "\n";
        FAIL() << "seed " << seed << ", step " << i << ":\n" << tail;
      }
    }
    ASSERT_NO_FATAL_FAILURE(simulation.drain());
    ASSERT_FALSE(testing::Test::HasFailure());
    RecordProperty("seed_" + std::to_string(seed),
                   std::to_string(simulation.claims) + " claims, " + std::to_string(simulation.refusals) + " refusals");
    // A run that never got far would prove nothing.
    EXPECT_GT(simulation.claims, steps / 20);
    EXPECT_GT(simulation.refusals, steps / 20);
    EXPECT_GT(simulation.done_jobs, 0);
    EXPECT_GT(simulation.inputs_rejected, 0);
  }
}

}  // namespace
}  // namespace reelfarm::queue::test

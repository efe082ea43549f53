#include "parallel/all_or_none.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "parallel/thread_group.hpp"

namespace reelfarm::parallel {
namespace {

/// What each of three ranks throws when those in `failing` fail; "" for nothing.
std::vector<std::string> thrown_by_ranks(const std::vector<int>& failing) {
  std::vector<std::string> thrown(3);
  run_thread_ranks(3, [&](ProcessGroup& group) {
    const int rank = group.rank();
    std::string& words = thrown[static_cast<std::size_t>(rank)];
    try {
      all_or_none(group, [&] {
        if (std::ranges::find(failing, rank) != failing.end()) {
          throw std::invalid_argument("no weights on " + std::to_string(rank));
        }
      });
    } catch (const PeerFailed& error) {
      words = std::string("peer: ") + error.what();
    } catch (const std::invalid_argument& error) {
      words = std::string("own: ") + error.what();
    }
    // The group lives on.
    group.barrier();
  });
  return thrown;
}

TEST(AllOrNone, ReturnsOnAllRanksWhenNoneFails) {
  EXPECT_THAT(thrown_by_ranks({}), ::testing::ElementsAre("", "", ""));
}

TEST(AllOrNone, OneErrorIsThrownOnItsRankAndKnownToTheOthers) {
  const std::string told = "peer: rank 1 of 3: no weights on 1";
  EXPECT_THAT(thrown_by_ranks({1}), ::testing::ElementsAre(told, "own: no weights on 1", told));
}

TEST(AllOrNone, OfSeveralErrorsTheLowestRankTellsItsOwn) {
  const std::string told = "peer: rank 0 of 3: no weights on 0";
  EXPECT_THAT(thrown_by_ranks({0, 1, 2}), ::testing::ElementsAre("own: no weights on 0", told, told));
}

}  // namespace
}  // namespace reelfarm::parallel

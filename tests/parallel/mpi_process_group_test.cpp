#include <gtest/gtest.h>
#include <mpi.h>

#include <cstdint>
#include <numeric>
#include <vector>

#include "parallel/errors.hpp"
#include "parallel/mpi_session.hpp"

namespace reelfarm::parallel {
namespace {

TEST(MpiProcessGroup, KnowsRankAndSizeOfTheWorld) {
  const auto group = MpiSession::world();
  int rank = -1;
  int size = -1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  EXPECT_EQ(group->rank(), rank);
  EXPECT_EQ(group->size(), size);
  EXPECT_EQ(MpiSession::ranks_on_this_machine(), size);
}

TEST(MpiProcessGroup, BroadcastReachesEveryRankFromEveryRoot) {
  const auto group = MpiSession::world();
  for (int root = 0; root < group->size(); ++root) {
    std::vector<std::uint32_t> data(100'003, 0);
    if (group->rank() == root) std::iota(data.begin(), data.end(), static_cast<std::uint32_t>(root));
    group->broadcast(std::as_writable_bytes(std::span(data)), root);
    EXPECT_EQ(data.front(), static_cast<std::uint32_t>(root));
    EXPECT_EQ(data.back(), static_cast<std::uint32_t>(root) + 100'002);
  }
}

TEST(MpiProcessGroup, BroadcastTextKeepsLengthAndZeroBytes) {
  const auto group = MpiSession::world();
  const std::string order = std::string("{\"task\":\"a\0b\"}", 14);
  for (const std::string& text : {order, std::string(), std::string(70'000, 'x')}) {
    EXPECT_EQ(group->broadcast_text(group->rank() == 0 ? text : "stale text of another length", 0), text);
  }
}

TEST(MpiProcessGroup, GroupsHaveCommunicatorsOfTheirOwn) {
  const auto first = MpiSession::world();
  const auto second = MpiSession::world();
  first->barrier();
  second->barrier();
  EXPECT_EQ(second->broadcast_text("second", 0), "second");
  EXPECT_EQ(first->broadcast_text("first", 0), "first");
}

TEST(MpiProcessGroup, WrongRootIsAnErrorWithMpisWords) {
  const auto group = MpiSession::world();
  std::uint32_t value = 1;
  try {
    group->broadcast(std::as_writable_bytes(std::span(&value, 1)), group->size());
    FAIL() << "a root outside the group was accepted";
  } catch (const MpiError& error) {
    EXPECT_NE(std::string(error.what()).find("MPI_ERR_ROOT"), std::string::npos) << error.what();
  }
}

TEST(SingleProcessGroup, NeedsNoMpi) {
  SingleProcessGroup group;
  EXPECT_EQ(group.size(), 1);
  EXPECT_EQ(group.broadcast_text("alone", 0), "alone");
  group.barrier();
  EXPECT_THROW(group.broadcast({}, 1), std::invalid_argument);
}

}  // namespace
}  // namespace reelfarm::parallel

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <mpi.h>

#include <cstdint>
#include <thread>

#include "parallel/errors.hpp"
#include "parallel/mpi_session.hpp"
#include "tests/parallel/group_checks.hpp"

namespace reelfarm::parallel {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

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

TEST(MpiProcessGroup, DoesWhatEveryGroupDoes) {
  const auto group = MpiSession::world();
  testing::check_every_promise(*group);
}

TEST(MpiProcessGroup, GroupsHaveCommunicatorsOfTheirOwn) {
  const auto first = MpiSession::world();
  const auto second = MpiSession::world();
  first->barrier();
  second->barrier();
  EXPECT_EQ(second->broadcast_text("second", 0), "second");
  EXPECT_EQ(first->broadcast_text("first", 0), "first");
}

TEST(MpiProcessGroup, TwoThreadsUseTwoGroupsAtOnce) {
  const auto first = MpiSession::world();
  const auto second = MpiSession::world();
  const auto many = [](ProcessGroup& group) {
    for (int i = 0; i < 20; ++i) testing::check_all_gather(group, c10::kCPU);
  };
  std::thread beside([&] { many(*second); });
  many(*first);
  beside.join();
}

TEST(MpiProcessGroup, WrongRootIsAnErrorWithMpisWords) {
  const auto group = MpiSession::world();
  std::uint32_t value = 1;
  EXPECT_THAT([&] { group->broadcast(std::as_writable_bytes(std::span(&value, 1)), group->size()); },
              ThrowsMessage<MpiError>(HasSubstr("MPI_ERR_ROOT")));
}

TEST(MpiProcessGroup, APeerThatSendsTooMuchOrTooLittleIsNamed) {
  for (const std::int64_t sent : {3, 5}) {
    const auto group = MpiSession::world();
    if (group->size() == 1) return;  // the runs with more ranks have a peer
    group->set_step("step 2");
    if (group->rank() == 1) group->exchange({{at::zeros({sent}), 0}}, {}, "ring")->wait();
    if (group->rank() != 0) continue;
    const std::string place = "rank 0 of " + std::to_string(group->size()) + ": ring (step 2)";
    EXPECT_THAT(
        [&] {
          group->exchange({}, {{at::zeros({4}), 1}}, "ring")->wait();
        },
        ThrowsMessage<GroupError>(
            AllOf(HasSubstr(place), HasSubstr(sent == 3 ? "rank 1 sent 12 bytes, expected 16" : "TRUNCATE"))));
  }
}

TEST(MpiProcessGroup, APeerThatNeverComesEndsTheWait) {
  const auto group = MpiSession::world(std::chrono::milliseconds(50));
  if (group->size() == 1) return;  // the runs with more ranks have a peer
  if (group->rank() == 0) {
    EXPECT_THAT(
        [&] {
          group->exchange({}, {{at::zeros({4}), 1}}, "ring")->wait();
        },
        ThrowsMessage<GroupError>(AllOf(HasSubstr("rank 0 of"), HasSubstr("ring: not done after 50 ms"),
                                        HasSubstr("nothing came from rank(s) 1"))));
  }
}

TEST(SingleProcessGroup, NeedsNoMpi) {
  SingleProcessGroup group;
  testing::check_every_promise(group);
  EXPECT_THROW(group.broadcast({}, 1), std::invalid_argument);
}

}  // namespace
}  // namespace reelfarm::parallel

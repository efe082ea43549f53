#include "pipeline/render/rank_groups.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <atomic>
#include <stdexcept>
#include <string>

#include "parallel/all_or_none.hpp"
#include "parallel/thread_group.hpp"

namespace reelfarm::render {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(OwnGpus, RanksWithAGpuEachMayGoOn) {
  parallel::run_thread_ranks(3, [](parallel::ProcessGroup& world) {
    require_own_gpus(world, "boot:0000:4" + std::to_string(world.rank()) + ":00.0");
  });
}

TEST(OwnGpus, TheSameGpuTwiceIsToldOnceWithBothRanks) {
  std::atomic<int> silent = 0;
  parallel::run_thread_ranks(3, [&](parallel::ProcessGroup& world) {
    const auto check = [&] { require_own_gpus(world, world.rank() == 0 ? "boot:0000:40:00.0" : "boot:0000:41:00.0"); };
    if (world.rank() == 1) {
      EXPECT_THAT(check, ThrowsMessage<std::invalid_argument>(
                             AllOf(HasSubstr("ranks 1 and 2 of 3 have the same GPU (boot:0000:41:00.0)"),
                                   HasSubstr("start fewer ranks"))));
    } else {
      EXPECT_THROW(check(), parallel::PeerFailed);
      ++silent;
    }
  });
  EXPECT_EQ(silent, 2);
}

TEST(RankGroups, OnTheCpuAreTheGroupsGiven) {
  parallel::run_thread_ranks(2, [](parallel::ProcessGroup& world) {
    auto denoise = world.split(0);
    auto decode = world.split(0);
    parallel::ProcessGroup* const given = denoise.get();
    const RankGroups groups = rank_groups(std::move(denoise), std::move(decode), {2, 1}, c10::kCPU);
    EXPECT_EQ(groups.denoise.get(), given);
    EXPECT_EQ(groups.mesh, (parallel::MeshShape{2, 1}));
    EXPECT_EQ(way_of_heads(parallel::Mesh(*groups.denoise, groups.mesh), c10::kCPU), "") << "nothing to tell";
  });
}

}  // namespace
}  // namespace reelfarm::render

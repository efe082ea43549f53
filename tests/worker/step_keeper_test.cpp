#include "worker/ranks/step_keeper.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <future>
#include <vector>

namespace reelfarm::worker {
namespace {

at::Tensor latents_of(int step) {
  return at::full({1, 16, 2, 4, 4}, step, at::kFloat);
}

/// A disk that takes as long as the test likes.
class SlowDisk {
 public:
  StepKeeper::Save save() {
    return [this](const render::StepState& state) {
      if (state.steps_done == 1) {
        begun.set_value();
        may_end.get_future().wait();
      }
      EXPECT_TRUE(at::equal(state.latents, latents_of(state.steps_done)));
      saved.push_back(state.steps_done);
    };
  }
  std::promise<void> begun;
  std::promise<void> may_end;
  std::vector<int> saved;
};

TEST(StepKeeper, DoesNotHoldUpWhoPutsAndReportsWhatIsKept) {
  SlowDisk disk;
  StepKeeper keeper(0, disk.save());
  EXPECT_EQ(keeper.kept(), 0);
  keeper.put({1, latents_of(1)});
  disk.begun.get_future().wait();
  keeper.put({2, latents_of(2)});
  keeper.put({3, latents_of(3)});
  EXPECT_EQ(keeper.kept(), 0) << "the first is not on the disk yet";
  disk.may_end.set_value();
  keeper.finish();
  EXPECT_EQ(keeper.kept(), 3);
  EXPECT_EQ(disk.saved, (std::vector<int>{1, 3})) << "the second was out of date before its turn came";
}

TEST(StepKeeper, ItsEndWaitsForTheLastState) {
  SlowDisk disk;
  disk.may_end.set_value();
  {
    StepKeeper keeper(0, disk.save());
    keeper.put({1, latents_of(1)});
    keeper.put({4, latents_of(4)});
  }
  ASSERT_FALSE(disk.saved.empty());
  EXPECT_EQ(disk.saved.back(), 4);
}

TEST(StepKeeper, KnowsWhatWasKeptBeforeItCame) {
  StepKeeper keeper(2, [](const render::StepState&) {});
  keeper.finish();
  EXPECT_EQ(keeper.kept(), 2);
}

}  // namespace
}  // namespace reelfarm::worker

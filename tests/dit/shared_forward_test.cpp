// Rank 0 leads forwards that all ranks share.
#include "pipeline/dit/shared_forward.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <stdexcept>

#include "parallel/errors.hpp"
#include "parallel/thread_group.hpp"
#include "tests/dit/reference_case.hpp"

namespace reelfarm::dit::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr int kRanks = 2;

class SharedForward : public ::testing::Test {
 protected:
  const ReferenceCase reference_{"concat_split"};
  const Transformer transformer_ = reference_.transformer();
  const schedulers::FlowMatchSchedule schedule_ = schedulers::flow_match_schedule(4, 5.0);
  const Prepared prepared_ = transformer_.prepare(reference_.text(), schedule_.timesteps, reference_.guidance());
  const at::Tensor input_ = reference_.tensor("model_input");

  /// Runs act(leader) on rank 0 while the others follow.
  void with_ranks(const std::function<void(const ForwardLeader&)>& act) const {
    parallel::run_thread_ranks(kRanks, [&](parallel::ProcessGroup& group) {
      std::vector<SharedTransformer> shared;
      shared.push_back({transformer_, parallel::Mesh(group, {1, kRanks})});
      if (group.rank() != 0) return follow_forwards(shared, group);
      const ForwardLeader leader(std::move(shared), group);
      act(leader);
    });
  }

  VelocityModel clip(const ForwardLeader& leader, const at::Tensor& input, ForwardCallback on_block = {}) const {
    return leader.clip(0, input.size(2), input.size(3), input.size(4), prepared_, std::move(on_block));
  }

  at::Tensor alone(const at::Tensor& input, int step) const {
    const TokenLayout layout = transformer_.layout(input.size(2), input.size(3), input.size(4));
    return transformer_.forward(input, layout, prepared_, step);
  }
};

TEST_F(SharedForward, ClipsOfSeveralSizesFollowEachOther) {
  const at::Tensor shorter = input_.narrow(2, 0, 1).contiguous();
  with_ranks([&](const ForwardLeader& leader) {
    int blocks = 0;
    const VelocityModel whole = clip(leader, input_, [&](int step, int done, int total) {
      EXPECT_LE(step, 1);
      EXPECT_EQ(total, transformer_.num_blocks());
      blocks += done > 0 ? 1 : 0;
    });
    for (const int step : {0, 1}) EXPECT_LE(relative_error(whole(input_, step), alone(input_, step)), 1e-5);
    EXPECT_EQ(blocks, 2 * transformer_.num_blocks());
    EXPECT_LE(relative_error(clip(leader, shorter)(shorter, 3), alone(shorter, 3)), 1e-5);
  });
}

TEST_F(SharedForward, WhatACallerThrowsEndsItsForwardOnly) {
  with_ranks([&](const ForwardLeader& leader) {
    int calls = 0;
    const VelocityModel stopped = clip(leader, input_, [&](int, int, int) {
      ++calls;
      throw std::runtime_error("wanted back");
    });
    EXPECT_THAT([&] { stopped(input_, 0); }, ThrowsMessage<std::runtime_error>("wanted back"));
    EXPECT_EQ(calls, 1);
    EXPECT_LE(relative_error(clip(leader, input_)(input_, 2), alone(input_, 2)), 1e-5);
  });
}

TEST_F(SharedForward, AnErrorOfOneRankEndsAll) {
  const at::Tensor other_size = input_.narrow(2, 0, 1).contiguous();
  EXPECT_THAT(([&] { with_ranks([&](const ForwardLeader& leader) { clip(leader, input_)(other_size, 0); }); }),
              ThrowsMessage<std::exception>(HasSubstr("laid out were")));
}

}  // namespace
}  // namespace reelfarm::dit::testing

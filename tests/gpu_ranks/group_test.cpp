// The group over the real NCCL does what every group does, and ends when something is wrong.
#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "parallel/errors.hpp"
#include "tests/gpu_ranks/own_gpu.hpp"
#include "tests/parallel/group_checks.hpp"

namespace reelfarm::parallel {
namespace {

using reelfarm::testing::gpu_world;
using reelfarm::testing::kGpu;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(NcclOnGpus, DoesWhatEveryGroupDoes) {
  const auto world = gpu_world();
  testing::check_every_promise(*world, c10::kCPU);
  testing::check_every_promise(*world, kGpu);
  world->settle();
}

TEST(NcclOnGpus, ReachEachOthersMemoryOrSayWhyNot) {
  const auto world = gpu_world();
  const std::string why = world->no_peer_writes(kGpu);
  if (world->rank() == 0) std::printf("copy engines: %s\n", why.empty() ? "in use" : why.c_str());
  EXPECT_EQ(world->no_peer_writes(kGpu), why) << "asked again";
  EXPECT_THAT(world->no_peer_writes(c10::kCPU), HasSubstr("the group's device is cuda:0, not cpu"));
}

// Each rank's rows lie apart here and there, and are computed and used while the next round is under way.
TEST(NcclOnGpus, RoundsOfSymmetricMemoryFollowTheWorkAroundThem) {
  const auto world = gpu_world();
  const int ranks = world->size();
  const auto options = at::TensorOptions().dtype(at::kBFloat16).device(kGpu);
  constexpr std::int64_t kRows = 20'000;
  constexpr std::int64_t kWidth = 256;
  at::Tensor seen = at::zeros({ranks}, options.dtype(at::kDouble));
  for (int round = 0; round < 40; ++round) {
    const at::Tensor memory = world->symmetric_empty({kRows * ranks * kWidth}, options)[0].view({kRows, ranks, kWidth});
    const at::Tensor given = at::full({kRows, 2 * kWidth}, round % 8 * ranks + world->rank(), options);
    std::vector<Send> sends;
    std::vector<Receive> receives;
    for (int distance = 1; distance < ranks; ++distance) {
      const int peer = (world->rank() + distance) % ranks;
      sends.push_back({given.narrow(1, kWidth, kWidth), peer, memory.select(1, world->rank())});
      receives.push_back({memory.select(1, peer), peer});
    }
    const auto transfer = world->exchange(std::move(sends), std::move(receives), "symmetric");
    memory.select(1, world->rank()).copy_(given.narrow(1, 0, kWidth));
    transfer->wait();
    seen +=
        memory.to(at::kDouble).mean(at::IntArrayRef({0, 2})) - at::arange(ranks, seen.options()) - round % 8 * ranks;
  }
  world->settle();
  EXPECT_EQ(seen.abs().sum().item<double>(), 0);
}

TEST(NcclOnGpus, ResultsAreOrderedBehindWorkThatIsStillQueued) {
  const auto world = gpu_world();
  constexpr std::int64_t kSize = 4096;
  const at::Tensor ones = at::ones({kSize, kSize}, at::TensorOptions().device(kGpu));
  for (int round = 1; round <= 20; ++round) {
    // Long enough that the exchange is posted while its input is not there yet; freed and drawn again each round.
    const at::Tensor product = at::matmul(ones, ones * (round * (world->rank() + 1)));
    const at::Tensor all = world->all_gather(product.narrow(0, 0, 64).contiguous());
    for (int rank = 0; rank < world->size(); ++rank) {
      EXPECT_EQ(all[rank].min().item<float>(), static_cast<float>(kSize * round * (rank + 1)));
      EXPECT_EQ(all[rank].max().item<float>(), static_cast<float>(kSize * round * (rank + 1)));
    }
  }
  world->settle();
}

/// Seconds until act(), which is wrong, ends with an error that `told` describes.
template <typename Act, typename Told>
double seconds_to_fail(const Act& act, const Told& told) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(act, ThrowsMessage<GroupError>(told));
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

constexpr std::chrono::milliseconds kPatience = std::chrono::seconds(2);

TEST(NcclOnGpus, SizesThatDoNotMatchEndInAnErrorOnEveryRank) {
  const auto world = gpu_world(kPatience);
  world->all_gather(at::zeros({8}, at::TensorOptions().device(kGpu)));
  world->set_step("forward of step 2");
  const double seconds = seconds_to_fail(
      [&] {
        world->all_gather(at::zeros({1024 * (world->rank() + 1)}, at::TensorOptions().device(kGpu)));
        world->settle();
      },
      AllOf(HasSubstr("rank " + std::to_string(world->rank()) + " of "), HasSubstr("all_gather (forward of step 2)"),
            HasSubstr("bytes, expected")));
  EXPECT_LT(seconds, 5.0);
}

TEST(NcclOnGpus, APeerThatDoesNotComeEndsTheDevicesWait) {
  const auto world = gpu_world(kPatience);
  const at::Tensor own = at::zeros({8}, at::TensorOptions().device(kGpu));
  world->all_gather(own);
  world->settle();
  world->set_step("forward of step 3");
  if (world->rank() == 0) {
    const double seconds = seconds_to_fail(
        [&] {
          const at::Tensor never = world->all_gather(own);
          world->settle();
        },
        AllOf(HasSubstr("all_gather (forward of step 3): not done after 2000 ms"), HasSubstr("from rank(s)")));
    EXPECT_LT(seconds, 5.0);
    // The device is free again: what hung was aborted.
    EXPECT_EQ((own + 1).sum().item<float>(), 8);
  }
  world->set_patience(std::chrono::minutes(1));
  world->barrier();
}

TEST(NcclOnGpus, APeerThatDoesNotWriteEndsTheDevicesWait) {
  const auto world = gpu_world(kPatience);
  const int peer = (world->rank() + 1) % world->size();
  const int other = (world->rank() + world->size() - 1) % world->size();
  const at::Tensor own = at::ones({8}, at::TensorOptions().device(kGpu));
  const auto round = [&] {
    const at::Tensor memory = world->symmetric_empty({8 * world->size()}, own.options())[0].view({-1, 8});
    world->exchange({{own, peer, memory[world->rank()]}}, {{memory[other], other}}, "symmetric")->wait();
    return memory[other].sum();
  };
  EXPECT_EQ(round().item<float>(), 8);
  world->settle();
  world->set_step("forward of step 3");
  if (world->rank() == 0) {
    at::Tensor never;
    const double seconds = seconds_to_fail(
        [&] {
          never = round();
          world->settle();
        },
        AllOf(HasSubstr("symmetric (forward of step 3): not done after 2000 ms"), HasSubstr("from rank(s)")));
    EXPECT_LT(seconds, 5.0);
    // The device is free again: its streams were let go.
    EXPECT_EQ((own + 1).sum().item<float>(), 16);
  }
  world->set_patience(std::chrono::minutes(1));
  world->barrier();
}

}  // namespace
}  // namespace reelfarm::parallel

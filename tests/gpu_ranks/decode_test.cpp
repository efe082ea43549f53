// A decode over GPUs has the bits of a decode on one.
#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <vector>

#include "pipeline/vae/shared_decode.hpp"
#include "pipeline/vae/tile_plan.hpp"
#include "tests/gpu_ranks/own_gpu.hpp"
#include "tests/vae/reference_case.hpp"

namespace reelfarm::vae {
namespace {

using reelfarm::testing::gpu_world;
using reelfarm::testing::kGpu;

class DecodeOnGpus : public ::testing::TestWithParam<at::ScalarType> {};

TEST_P(DecodeOnGpus, HasTheBitsOfOneForEveryPlan) {
  const auto world = gpu_world();
  const auto vae = ReferenceCase("odd_multiples").open({kGpu, GetParam()});
  if (world->rank() != 0) return follow_decodes(*vae, *world);
  const DecodeLeader leader(*vae, *world);
  at::Generator generator = at::detail::createCPUGenerator(3);
  const int scale = static_cast<int>(vae->config().spatial_compression_ratio);
  const at::Tensor latents =
      at::randn({1, vae->config().latent_channels, 14, 256 / scale + 3, 192 / scale + 5}, generator, at::kFloat)
          .to(kGpu);
  const auto frames_of = [](std::vector<at::Tensor>& frames) {
    return [&frames](const FrameChunk& chunk) { frames.push_back(chunk.rgb8.cpu()); };
  };
  for (const std::string_view plan : tile_plan_names()) {
    DecodeOptions options;
    options.plan = std::string(plan);
    std::vector<at::Tensor> alone;
    std::vector<at::Tensor> together;
    vae->decode(latents, options, frames_of(alone));
    leader.decode(latents, options, frames_of(together));
    EXPECT_TRUE(at::equal(at::cat(together), at::cat(alone))) << plan;
  }
}

INSTANTIATE_TEST_SUITE_P(Types, DecodeOnGpus, ::testing::Values(at::kFloat, at::kBFloat16));

}  // namespace
}  // namespace reelfarm::vae

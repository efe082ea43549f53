// The transformer over GPUs gives what one GPU gives: 4 steps, every mesh.
#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cstdio>

#include "pipeline/dit/sharded_forward.hpp"
#include "tests/dit/reference_case.hpp"
#include "tests/gpu_ranks/own_gpu.hpp"

namespace reelfarm::dit::testing {
namespace {

using reelfarm::testing::gpu_world;
using reelfarm::testing::kGpu;

class ShardedOnGpus : public ::testing::TestWithParam<std::tuple<const char*, at::ScalarType>> {};

TEST_P(ShardedOnGpus, FourStepsAreThoseOfOneGpu) {
  const auto& [name, dtype] = GetParam();
  const auto world = gpu_world();
  const ReferenceCase reference(name);
  const Transformer transformer = reference.transformer(dtype, kGpu);
  const auto schedule = schedulers::flow_match_schedule(4, 5.0);
  const at::Tensor noise = reference.tensor("noise").to(kGpu);
  auto condition = reference.condition();
  if (condition) condition = LatentCondition{condition->latents.to(kGpu), condition->mask.to(kGpu)};
  const Prepared prepared = transformer.prepare(reference.text(), schedule.timesteps, reference.guidance());
  const TokenLayout layout = transformer.layout(noise.size(2), noise.size(3), noise.size(4));
  const at::Tensor alone =
      denoise(velocity_of(transformer, layout, prepared), reference.config(), schedule, noise, condition);
  for (int ulysses = 1; ulysses <= world->size(); ++ulysses) {
    if (world->size() % ulysses != 0 || transformer.config().num_heads % ulysses != 0) continue;
    const parallel::MeshShape shape{ulysses, world->size() / ulysses};
    const parallel::Mesh mesh(*world, shape);
    const Prepared shared = broadcast_prepared(*world, 0, world->rank() == 0 ? prepared : Prepared{}, transformer);
    const ShardedForward forward(transformer, *world, mesh, noise.size(2), noise.size(3), noise.size(4));
    const at::Tensor found = denoise([&](const at::Tensor& input, int step) { return forward(input, shared, step); },
                                     reference.config(), schedule, noise, condition);
    world->settle();
    const double error = relative_error(found.cpu(), alone.cpu());
    const double cosine =
        at::cosine_similarity(found.flatten().to(at::kDouble), alone.flatten().to(at::kDouble), 0).item<double>();
    EXPECT_LE(error, dtype == at::kFloat ? 1e-5 : 2e-2) << to_string(shape);
    EXPECT_GE(cosine, 0.9995) << to_string(shape);
    if (world->rank() == 0) {
      std::printf("%-18s %s mesh %s: error %.2e, cosine %.6f\n", name, dtype == at::kFloat ? "fp32" : "bf16",
                  to_string(shape).c_str(), error, cosine);
    }
    const at::Tensor of_rank_0 = world->broadcast_tensor(found, 0, kGpu);
    EXPECT_TRUE(at::equal(found, of_rank_0)) << "ranks disagree";
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, ShardedOnGpus,
                         ::testing::Combine(::testing::Values("t2v_split", "concat_split", "concat_four_split",
                                                              "replace_split", "t2v", "concat_one_word"),
                                            ::testing::Values(at::kFloat, at::kBFloat16)),
                         [](const auto& param) {
                           return std::string(std::get<0>(param.param)) +
                                  (std::get<1>(param.param) == at::kFloat ? "_fp32" : "_bf16");
                         });

}  // namespace
}  // namespace reelfarm::dit::testing

#include "pipeline/dit/denoiser.hpp"

#include <stdexcept>
#include <vector>

#include <ATen/Parallel.h>
#include <gmock/gmock.h>

#include "pipeline/dit/noise.hpp"
#include "tests/dit/reference_case.hpp"

namespace reelfarm::dit::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const schedulers::FlowMatchSchedule kSchedule = schedulers::flow_match_schedule(4, 5.0);

class DenoiseOf : public ::testing::TestWithParam<const char*> {};

TEST_P(DenoiseOf, ResumedFromAnyStepGivesTheSameBits) {
  const ReferenceCase reference(GetParam());
  const Transformer transformer = reference.transformer();
  const Prepared prepared = transformer.prepare(reference.text(), kSchedule.timesteps, reference.guidance());
  const at::Tensor noise = reference.tensor("noise");
  const TokenLayout layout = transformer.layout(noise.size(2), noise.size(3), noise.size(4));
  const auto run = [&](const at::Tensor& start, int first_step, const StepCallback& on_step) {
    return denoise(velocity_of(transformer, layout, prepared), reference.config(), kSchedule, start,
                   reference.condition(), first_step, on_step);
  };
  std::vector<at::Tensor> after;
  const at::Tensor start = noise.clone();
  const at::Tensor whole = run(start, 0, [&](int step, const at::Tensor& latents) {
    EXPECT_EQ(step, static_cast<int>(after.size()));
    after.push_back(latents);
  });
  EXPECT_TRUE(at::equal(start, noise)) << "the caller's latents are not written";
  for (int step = 0; step < 4; ++step) {
    EXPECT_TRUE(at::equal(run(after[static_cast<std::size_t>(step)], step + 1, {}), whole)) << "from step " << step;
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, DenoiseOf, ::testing::Values("t2v", "concat", "replace"),
                         [](const auto& param) { return std::string(param.param); });

TEST(Denoise, RefusesConditionsThatTheTransformerCannotTake) {
  DitConfig config;
  const VelocityModel never = [](const at::Tensor&, int) -> at::Tensor { throw std::logic_error("called"); };
  const at::Tensor latents = noise_latents(1, 16, 0, 5, 2, 2);
  const auto run = [&](const std::optional<LatentCondition>& condition, int first_step = 0) {
    denoise(never, config, kSchedule, latents, condition, first_step);
  };
  const LatentCondition two = LatentCondition::prefix(latents.narrow(2, 0, 2), 5);
  EXPECT_THAT([&] { run(two); }, ThrowsMessage<std::invalid_argument>(HasSubstr("text-to-video")));
  EXPECT_THAT([&] { run({}, 5); }, ThrowsMessage<std::invalid_argument>(HasSubstr("first step 5 of 4")));
  config.condition = ImageCondition::token_replace;
  EXPECT_THAT([&] { run({}); }, ThrowsMessage<std::invalid_argument>(HasSubstr("needs an image condition")));
  EXPECT_THAT([&] { run(two); }, ThrowsMessage<std::invalid_argument>(HasSubstr("exactly one latent frame")));
  EXPECT_THAT([&] { run(LatentCondition::prefix(latents.narrow(2, 0, 1), 4)); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("[1, 16, 4, 2, 2]")));
  EXPECT_THAT([&] { LatentCondition::prefix(latents, 4); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("a clip of 4 latent frames")));
}

TEST(NoiseLatents, AWindowsFramesAreASliceOfTheJobs) {
  const at::Tensor job = noise_latents(9, 16, 0, 12, 6, 10);
  const at::Tensor window = noise_latents(9, 16, 5, 4, 6, 10);
  EXPECT_TRUE(at::equal(window, job.narrow(2, 5, 4)));
  EXPECT_NEAR(job.std().item<double>(), 1.0, 0.05);
}

TEST(NoiseLatents, AreTheSameForAnyNumberOfThreads) {
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor alone = noise_latents(9, 16, 2, 5, 6, 10);
  at::set_num_threads(3);
  const at::Tensor together = noise_latents(9, 16, 2, 5, 6, 10);
  at::set_num_threads(before);
  EXPECT_TRUE(at::equal(together, alone));
}

TEST(SteadyNoise, MixesAThousandthOfTheImageIntoEveryFrame) {
  const at::Tensor noise = noise_latents(1, 16, 0, 3, 4, 4);
  const at::Tensor image = noise_latents(2, 16, 0, 1, 4, 4);
  const at::Tensor mixed = steady_noise(noise, image);
  EXPECT_LE(relative_error(mixed, noise * 0.999 + image.expand_as(noise) * 0.001), 1e-6);
}

}  // namespace
}  // namespace reelfarm::dit::testing

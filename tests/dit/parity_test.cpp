// The transformer and the sampler against diffusers, on random weights (tests/reference/dit.py).
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/dit/reference_case.hpp"

namespace reelfarm::dit::testing {
namespace {

constexpr int kForwardStep = 2;  // FORWARD_STEP of the reference

class DitParity : public ::testing::TestWithParam<const char*> {
 protected:
  const ReferenceCase reference_{GetParam()};
  const schedulers::FlowMatchSchedule schedule_ = schedulers::flow_match_schedule(4, 5.0);

  at::Tensor forward(at::ScalarType dtype) const {
    const Transformer transformer = reference_.transformer(dtype);
    const Prepared prepared = transformer.prepare(reference_.text(), schedule_.timesteps, reference_.guidance());
    const at::Tensor input = reference_.tensor("model_input");
    return transformer.forward(input, transformer.layout(input.size(2), input.size(3), input.size(4)), prepared,
                               kForwardStep);
  }
};

TEST_P(DitParity, ForwardInFp32AgreesWithDiffusers) {
  const double error = relative_error(forward(at::kFloat), reference_.tensor("velocity_fp32"));
  std::printf("%-20s fp32 error %.2e\n", GetParam(), error);
  EXPECT_LE(error, 1e-4);
}

TEST_P(DitParity, ForwardInBf16AgreesWithDiffusers) {
  const at::Tensor found = forward(at::kBFloat16);
  ASSERT_EQ(found.scalar_type(), at::kBFloat16);
  const at::Tensor fp32 = reference_.tensor("velocity_fp32");
  const at::Tensor bf16 = reference_.tensor("velocity_bf16");
  std::printf("%-20s bf16 error against diffusers fp32 %.2e (diffusers' own bf16: %.2e), against its bf16 %.2e\n",
              GetParam(), relative_error(found, fp32), relative_error(bf16, fp32), relative_error(found, bf16));
  // A guidance of 6 is embedded as 6016 in bf16, which fp32 is no reference for.
  EXPECT_LE(relative_error(found, reference_.guidance() == 6.0F ? bf16 : fp32), 2e-2);
}

TEST_P(DitParity, FourStepsAgreeWithDiffusersAfterEveryStep) {
  const Transformer transformer = reference_.transformer();
  const Prepared prepared = transformer.prepare(reference_.text(), schedule_.timesteps, reference_.guidance());
  const at::Tensor noise = reference_.tensor("noise");
  const TokenLayout layout = transformer.layout(noise.size(2), noise.size(3), noise.size(4));
  std::vector<double> errors;
  const at::Tensor last = denoise(velocity_of(transformer, layout, prepared), reference_.config(), schedule_, noise,
                                  reference_.condition(), 0, [&](int step, const at::Tensor& latents) {
                                    const auto name = "latents_" + std::to_string(step);
                                    errors.push_back(relative_error(latents, reference_.tensor(name)));
                                  });
  ASSERT_EQ(errors.size(), 4U);
  for (const double error : errors) EXPECT_LE(error, 1e-3);
  std::printf("%-20s fp32 error after four steps %.2e\n", GetParam(), errors.back());
  EXPECT_LE(relative_error(last, reference_.tensor("latents_3")), 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Cases, DitParity, ::testing::ValuesIn(kCases),
                         [](const auto& param) { return std::string(param.param); });

TEST(FlowMatchParity, SchedulesAreBitEqualToDiffusers) {
  const auto source = weights::TensorSource::open(std::string(REELFARM_REFERENCE_DIR) + "/dit/schedules.safetensors");
  int compared = 0;
  for (const int steps : {1, 2, 3, 4, 6, 7, 50}) {
    for (const int shift : {1, 3, 5, 7, 17}) {
      const std::string key = std::to_string(steps) + "." + std::to_string(shift);
      const schedulers::FlowMatchSchedule schedule = schedulers::flow_match_schedule(steps, shift);
      for (const auto& [name, values] : {std::pair{"sigmas.", schedule.sigmas}, {"timesteps.", schedule.timesteps}}) {
        const at::Tensor expected = read_tensor(source, name + key);
        EXPECT_TRUE(at::equal(at::tensor(values), expected)) << name << key;
        ++compared;
      }
    }
  }
  EXPECT_EQ(compared, 70);
}

}  // namespace
}  // namespace reelfarm::dit::testing

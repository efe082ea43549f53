#include <gtest/gtest.h>

#include <string>

#include "pipeline/nn/cuda_backend.hpp"
#include "tests/vae/reference_case.hpp"

namespace reelfarm::vae {
namespace {

// LibTorch asks for its CUDA part once, so it is there before the first test.
class CudaEnvironment : public testing::Environment {
 public:
  void SetUp() override {
    if (nn::cuda_device_present()) nn::load_cuda_backend();
  }
};

const auto* const kEnvironment = testing::AddGlobalTestEnvironment(new CudaEnvironment);

constexpr double kTolerance = 1e-4;
constexpr double kHalfTolerance = 2e-2;

class VaeParity : public testing::TestWithParam<const char*> {};

TEST_P(VaeParity, DecodesAsDiffusersDoesWithEveryTilePlan) {
  const ReferenceCase reference(GetParam());
  const auto vae = reference.open({at::kCPU, at::kFloat});
  const auto results = reference.results("decode");
  ASSERT_FALSE(results.empty());
  for (const std::string& result : results) {
    const at::Tensor sample = vae->decode_sample(reference.input("decode", result), result.substr(0, result.find('/')));
    EXPECT_LE(relative_error(sample, reference.tensor("decode/" + result)), kTolerance) << result;
  }
}

TEST_P(VaeParity, EncodesAsDiffusersDoesWithEveryTilePlan) {
  const ReferenceCase reference(GetParam());
  const auto vae = reference.open({at::kCPU, at::kFloat});
  const auto results = reference.results("encode");
  ASSERT_FALSE(results.empty());
  for (const std::string& result : results) {
    const at::Tensor latents = vae->encode(reference.input("encode", result), result.substr(0, result.find('/')));
    EXPECT_LE(relative_error(latents, reference.tensor("encode/" + result)), kTolerance) << result;
  }
}

TEST_P(VaeParity, InBfloat16ItStaysCloseToFp32AndNoFurtherThanDiffusers) {
  const ReferenceCase reference(GetParam());
  const auto vae = reference.open({at::kCPU, at::kBFloat16});
  for (const std::string kind : {"decode", "encode"}) {
    for (const std::string& result : reference.results(kind)) {
      const std::string plan = result.substr(0, result.find('/'));
      const at::Tensor input = reference.input(kind, result);
      const at::Tensor ours = kind == "decode" ? vae->decode_sample(input, plan) : vae->encode(input, plan);
      const double error = relative_error(ours, reference.tensor(kind + "/" + result));
      EXPECT_LE(error, kHalfTolerance) << kind << " " << result;
      EXPECT_LE(error, 1.2 * reference.tensor("bf16_error/" + kind + "/" + result).item<float>()) << result;
    }
  }
}

TEST_P(VaeParity, OnAGpuItGivesTheSameInBothTypes) {
  if (!nn::cuda_device_present()) GTEST_SKIP() << "no NVIDIA driver with a visible device answers here";
  const ReferenceCase reference(GetParam());
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const auto vae = reference.open({c10::Device(at::kCUDA, 0), dtype});
    for (const std::string kind : {"decode", "encode"}) {
      for (const std::string& result : reference.results(kind)) {
        const std::string plan = result.substr(0, result.find('/'));
        const at::Tensor input = reference.input(kind, result);
        const at::Tensor ours = kind == "decode" ? vae->decode_sample(input, plan) : vae->encode(input, plan);
        EXPECT_LE(relative_error(ours.cpu(), reference.tensor(kind + "/" + result)),
                  dtype == at::kFloat ? kTolerance : kHalfTolerance)
            << kind << " " << result;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Configs, VaeParity,
                         testing::Values("odd_multiples", "attention_two_layers", "three_blocks", "time_only_step"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace reelfarm::vae

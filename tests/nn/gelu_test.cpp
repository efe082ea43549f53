#include "pipeline/nn/gelu.hpp"

#include <limits>

#include <gtest/gtest.h>

namespace reelfarm::nn {
namespace {

TEST(GeluTanh, AgreesWithLibTorchInDouble) {
  const at::Tensor x =
      at::cat({at::linspace(-12, 12, 4001, at::kFloat), at::tensor({-1e20F, -200.0F, 0.0F, 300.0F})}).view({1, -1});
  const at::Tensor expected = at::gelu(x.to(at::kDouble), "tanh");
  at::Tensor fp32 = x.clone();
  gelu_tanh_(fp32);
  EXPECT_TRUE(at::allclose(fp32.to(at::kDouble), expected, /*rtol=*/1e-5, /*atol=*/1e-7));
  at::Tensor bf16 = x.to(at::kBFloat16);
  const at::Tensor rounded = at::gelu(bf16.to(at::kDouble), "tanh");
  gelu_tanh_(bf16);
  EXPECT_TRUE(at::allclose(bf16.to(at::kDouble), rounded, 5e-3, 1e-6));
}

TEST(GeluTanh, WritesOnlyItsColumnsAndKeepsNan) {
  at::Tensor whole = at::ones({5, 40});
  at::Tensor part = whole.narrow(1, 8, 19);
  part[2][3] = std::numeric_limits<float>::quiet_NaN();
  gelu_tanh_(part);
  EXPECT_TRUE(at::equal(whole.narrow(1, 0, 8), at::ones({5, 8})));
  EXPECT_TRUE(at::equal(whole.narrow(1, 27, 13), at::ones({5, 13})));
  EXPECT_TRUE(part[2][3].isnan().item<bool>());
  EXPECT_EQ(part.isnan().sum().item<std::int64_t>(), 1);
  EXPECT_NEAR(part[4][18].item<float>(), 0.841192F, 1e-5F);
}

}  // namespace
}  // namespace reelfarm::nn

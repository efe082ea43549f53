#include "pipeline/nn/attention.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

namespace reelfarm::nn {
namespace {

TEST(AttentionPart, HasTheBitsOfAttentionAndTheLogarithmOfItsDenominator) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    at::Generator generator = at::detail::createCPUGenerator(5);
    const auto random = [&](std::int64_t tokens) {
      return (at::randn({tokens, 3, 16}, generator, at::kFloat) * 4).to(type);
    };
    const at::Tensor q = random(37);
    const at::Tensor k = random(53);
    const at::Tensor v = random(53);
    const AttentionPart part = attention_part(q, k, v);
    EXPECT_TRUE(at::equal(part.out, attention(q.unsqueeze(0), k.unsqueeze(0), v.unsqueeze(0))[0]));
    const at::Tensor scores =
        at::matmul(q.to(at::kDouble).transpose(0, 1), k.to(at::kDouble).permute({1, 2, 0})) / std::sqrt(16.0);
    const at::Tensor expected = at::logsumexp(scores, {-1}).transpose(0, 1);
    ASSERT_EQ(part.lse.scalar_type(), at::kFloat);
    ASSERT_EQ(part.lse.sizes(), expected.sizes());
    EXPECT_LE((part.lse - expected).abs().max().item<double>(), 1e-5 * expected.abs().max().item<double>());
  }
}

}  // namespace
}  // namespace reelfarm::nn

#include "pipeline/nn/rotary.hpp"

#include <gtest/gtest.h>

namespace reelfarm::nn {
namespace {

constexpr double kEps = 1e-6;

/// The definition, in double, with complex numbers for the rotation.
at::Tensor expected_of(const at::Tensor& x, const at::Tensor& weight, const RotaryTable* table) {
  const at::Tensor wide = x.to(at::kDouble);
  const at::Tensor normed =
      wide / at::sqrt(at::mean(wide * wide, {-1}, true) + kEps) * weight.to(at::kDouble).view({1, 1, -1});
  if (table == nullptr) return normed;
  const at::Tensor pairs = at::view_as_complex(normed.contiguous().unflatten(-1, {-1, 2}));
  const at::Tensor turn = at::complex(table->cos.to(at::kDouble), table->sin.to(at::kDouble)).unsqueeze(1);
  return at::view_as_real(pairs * turn).flatten(-2);
}

class NormRotate : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(NormRotate, AgreesWithTheDefinition) {
  const std::int64_t head_dim = GetParam();
  at::manual_seed(1);
  const at::Tensor angle = at::randn({70, head_dim / 2});
  const RotaryTable table{at::cos(angle), at::sin(angle)};
  const at::Tensor weight = at::randn({head_dim});
  for (const RotaryTable* rotary : {static_cast<const RotaryTable*>(nullptr), &table}) {
    for (const auto& [dtype, tolerance] : {std::pair{at::kFloat, 1e-6}, {at::kBFloat16, 4e-3}}) {
      // Rows of a wider buffer: the kernel must keep to its own.
      at::Tensor buffer = at::randn({70, 3 * head_dim + 5}).to(dtype);
      const at::Tensor rest = buffer.narrow(1, 3 * head_dim, 5).clone();
      at::Tensor x = buffer.narrow(1, 0, 3 * head_dim).unflatten(1, {3, head_dim});
      const at::Tensor expected = expected_of(x, weight.to(dtype), rotary);
      rms_norm_rotate_(x, weight.to(dtype), kEps, rotary);
      EXPECT_LE(((x.to(at::kDouble) - expected).norm() / expected.norm()).item<double>(), tolerance);
      EXPECT_TRUE(at::equal(buffer.narrow(1, 3 * head_dim, 5), rest));
    }
  }
}

// 6 and 20 are no multiple of the vector width; 600 is beyond the kernel's row buffer.
INSTANTIATE_TEST_SUITE_P(HeadDims, NormRotate, ::testing::Values(6, 16, 20, 128, 600));

TEST(NormRotate, RefusesATableOfAnotherLength) {
  const RotaryTable table{at::ones({4, 8}), at::zeros({4, 8})};
  EXPECT_THROW(rms_norm_rotate_(at::ones({5, 2, 16}), at::ones({16}), kEps, &table), c10::Error);
}

}  // namespace
}  // namespace reelfarm::nn

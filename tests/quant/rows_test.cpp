#include "pipeline/quant/rows.hpp"

#include <gtest/gtest.h>

#include "pipeline/nn/gelu.hpp"
#include "pipeline/nn/norm.hpp"
#include "pipeline/quant/joined.hpp"
#include "pipeline/quant/norm.hpp"
#include "tests/support/relative_error.hpp"

namespace reelfarm::quant::testing {
using test::relative_error;

namespace {

constexpr auto kFp8 = nn::Quantisation::fp8;
constexpr auto kNone = nn::Quantisation::none;
constexpr auto kW8a8 = nn::Quantisation::w8a8;

TEST(Rows, EveryValueIsWithinASixteenthOfItsOwnSize) {
  const at::Tensor x = at::randn({50, 96}) * at::logspace(-3, 3, 50).unsqueeze(1);
  const Rows rows = quantise(x, kFp8);
  EXPECT_EQ(rows.values.scalar_type(), at::kFloat8_e4m3fn);
  ASSERT_EQ(rows.scales.sizes(), at::IntArrayRef({50, 1}));
  const at::Tensor error = (dequantise(rows, at::kFloat) - x).abs();
  // Below 2^-6 of the scaled range e4m3 has a fixed step of 2^-9.
  const at::Tensor allowed = at::maximum(x.abs() / 16, rows.scales / 1024) * 1.0001;
  EXPECT_TRUE((error <= allowed).all().item<bool>());
}

TEST(Rows, IntegersAreWithinHalfAScale) {
  const at::Tensor x = at::randn({50, 96}) * at::logspace(-3, 3, 50).unsqueeze(1);
  const Rows rows = quantise(x, kW8a8);
  EXPECT_EQ(rows.values.scalar_type(), at::kChar);
  ASSERT_EQ(rows.scales.sizes(), at::IntArrayRef({50, 1}));
  const at::Tensor error = (dequantise(rows, at::kFloat) - x).abs();
  EXPECT_TRUE((error <= rows.scales * 0.5001).all().item<bool>());
}

TEST(Rows, TheLargestMagnitudeOfARowIsKeptExactly) {
  const at::Tensor x = at::randn({20, 64});
  const at::Tensor largest = x.abs().amax({1}, true);
  for (const auto& [quantisation, limit] : {std::pair{kFp8, 448}, {kW8a8, 127}}) {
    const Rows rows = quantise(x, quantisation);
    EXPECT_LE(relative_error(rows.scales, largest / limit), 1e-6);
    EXPECT_LE(relative_error(dequantise(rows, at::kFloat).abs().amax({1}, true), largest), 1e-6);
  }
}

TEST(Rows, ARowOfZerosStaysZero) {
  for (const auto quantisation : {kFp8, kW8a8}) {
    const Rows rows = quantise(at::zeros({3, 32}), quantisation);
    EXPECT_TRUE(at::equal(dequantise(rows, at::kFloat), at::zeros({3, 32})));
    EXPECT_TRUE(at::equal(rows.scales, at::ones({3, 1})));
  }
}

TEST(Rows, WhatIsNotFiniteIsNotHidden) {
  for (const auto quantisation : {kFp8, kW8a8}) {
    for (const float wrong : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      at::Tensor x = at::ones({2, 32});
      x[1][5] = wrong;
      const at::Tensor back = dequantise(quantise(x, quantisation), at::kFloat);
      EXPECT_FALSE(back[1].isfinite().all().item<bool>());
      EXPECT_TRUE(at::equal(back[0], at::ones({32})));
    }
  }
}

TEST(Rows, ConversionGoesBothWaysAndLeavesWhatFits) {
  const at::Tensor x = at::randn({4, 32});
  const Rows plain{x, {}};
  EXPECT_TRUE(converted(plain, kNone, at::kFloat).values.is_same(x));
  const Rows eight = converted(plain, kFp8, at::kFloat);
  EXPECT_FALSE(eight.plain());
  EXPECT_TRUE(converted(eight, kFp8, at::kFloat).values.is_same(eight.values));
  EXPECT_TRUE(at::equal(converted(eight, kNone, at::kFloat).values, dequantise(eight, at::kFloat)));
  const Rows integers = converted(eight, kW8a8, at::kFloat);
  EXPECT_EQ(integers.values.scalar_type(), at::kChar);
  EXPECT_LE(relative_error(dequantise(integers, at::kFloat), dequantise(eight, at::kFloat)), 0.02);
}

TEST(Rows, PartsAreWrittenOverInPlace) {
  const Rows rows = quantise(at::randn({6, 32}), kFp8);
  const Rows other = quantise(at::randn({2, 32}), kFp8);
  rows.narrow(1, 2).copy_(other);
  EXPECT_TRUE(at::equal(dequantise(rows, at::kFloat).narrow(0, 1, 2), dequantise(other, at::kFloat)));
}

TEST(Joined, IsTheLeftAndTheGeluOfTheRight) {
  for (const auto quantisation : {kNone, kFp8, kW8a8}) {
    for (const bool left_in_8_bits : {false, true}) {
      const at::Tensor joined = at::randn({7, 48});
      const at::Tensor x = quantisation == kNone ? joined.narrow(1, 16, 32) : at::randn({7, 32});
      at::Tensor activated = x.contiguous().clone();
      nn::gelu_tanh_(activated);
      const Rows left = quantise(at::randn({7, 16}), left_in_8_bits ? kFp8 : kNone);
      const at::Tensor expected = at::cat({dequantise(left, at::kFloat), activated}, 1);
      const Rows found = join_gelu(left, x, joined, quantisation);
      EXPECT_EQ(found.plain(), quantisation == kNone);
      EXPECT_TRUE(at::equal(dequantise(found, at::kFloat), dequantise(quantise(expected, quantisation), at::kFloat)));
    }
  }
}

TEST(Norm, IsTheNormOfTheComputeTypeQuantised) {
  const at::Tensor x = at::randn({9, 64}) * 3 + 1;
  const at::Tensor scale = at::randn({64});
  const at::Tensor shift = at::randn({64});
  for (const auto quantisation : {kFp8, kW8a8}) {
    const Rows found = modulated_layer_norm(x, scale, shift, 1e-6, quantisation);
    const Rows expected = quantise(nn::modulated_layer_norm(x, scale, shift, 1e-6), quantisation);
    EXPECT_TRUE(at::equal(dequantise(found, at::kFloat), dequantise(expected, at::kFloat)));
  }
}

}  // namespace
}  // namespace reelfarm::quant::testing

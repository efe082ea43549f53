#include "pipeline/quant/attention.hpp"

#include <gtest/gtest.h>

#include "pipeline/nn/attention.hpp"
#include "tests/support/relative_error.hpp"

namespace reelfarm::quant::testing {
using test::relative_error;

namespace {

at::Tensor reference(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  return nn::attention(q.unsqueeze(0), k.unsqueeze(0), v.unsqueeze(0))[0].flatten(1);
}

double error_of(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  return relative_error(dequantise(attention(q, k, v), at::kFloat), reference(q, k, v));
}

TEST(QuantisedAttention, StaysCloseToTheFloatOne) {
  const at::Tensor q = at::randn({120, 3, 32}) * 2;
  const at::Tensor k = at::randn({150, 3, 32});
  const at::Tensor v = at::randn({150, 3, 32});
  const Rows rows = attention(q, k, v);
  EXPECT_EQ(rows.values.scalar_type(), at::kFloat8_e4m3fn);
  ASSERT_EQ(rows.values.sizes(), at::IntArrayRef({120, 96}));
  ASSERT_EQ(rows.scales.sizes(), at::IntArrayRef({120, 1}));
  EXPECT_LE(error_of(q, k, v), 0.08);
}

TEST(QuantisedAttention, WhatAllKeysShareCostsNoPrecision) {
  const at::Tensor q = at::randn({120, 3, 32}) * 2;
  const at::Tensor k = at::randn({150, 3, 32});
  const at::Tensor v = at::randn({150, 3, 32});
  const at::Tensor common = at::randn({1, 3, 32}) * 30;
  EXPECT_LE(relative_error(reference(q, k + common, v), reference(q, k, v)), 1e-3);
  EXPECT_LE(error_of(q, k + common, v), 1.2 * error_of(q, k, v));
}

TEST(QuantisedAttention, KeysThatAreAllTheSameGiveTheMeanOfTheValues) {
  const at::Tensor v = at::randn({64, 2, 16}) + 3;
  const at::Tensor k = at::randn({1, 2, 16}).expand({64, 2, 16}).contiguous();
  const at::Tensor found = dequantise(attention(at::randn({5, 2, 16}), k, v), at::kFloat);
  EXPECT_LE(relative_error(found, v.mean(0).flatten().expand({5, 32})), 0.05);
}

}  // namespace
}  // namespace reelfarm::quant::testing

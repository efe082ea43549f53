#include "pipeline/quant/linear.hpp"

#include <gmock/gmock.h>

#include "pipeline/nn/parameter_reader.hpp"
#include "tests/support/relative_error.hpp"
#include "tests/support/weight_file.hpp"

namespace reelfarm::quant::testing {
using test::relative_error;

namespace {

constexpr std::int64_t kIn = 64;
constexpr std::int64_t kOut = 48;

class QuantisedLinear : public ::testing::Test {
 protected:
  at::Tensor weight_ = at::randn({kOut, kIn}) * at::logspace(-2, 2, kOut).unsqueeze(1);
  at::Tensor bias_ = at::randn({kOut});
  const test::WeightFile file_{{{"weight", weight_}, {"bias", bias_}}};

  Linear linear(nn::Quantisation quantisation) const {
    return {file_.reader({c10::kCPU, at::kFloat, quantisation}), kIn, kOut};
  }
};

TEST_F(QuantisedLinear, IsTheProductOfWhatThe8BitsStandFor) {
  const Rows x = quantise(at::randn({33, kIn}), nn::Quantisation::fp8);
  const at::Tensor wide_weight = dequantise(quantise(weight_, nn::Quantisation::fp8), at::kDouble);
  const at::Tensor expected = at::addmm(bias_.to(at::kDouble), dequantise(x, at::kDouble), wide_weight.t());
  EXPECT_LE(relative_error(linear(nn::Quantisation::fp8)(x), expected), 1e-6);
}

TEST_F(QuantisedLinear, IsCloseToTheFloatProductForWeightsOfAllSizes) {
  const at::Tensor x = at::randn({200, kIn});
  const at::Tensor expected = at::linear(x, weight_, bias_);
  const at::Tensor found = linear(nn::Quantisation::fp8)(quantise(x, nn::Quantisation::fp8));
  // Two operands, each off by a sixteenth at most and by 2.6 % in the mean. Outputs are as good as their neighbours,
  // however small their weights are.
  EXPECT_LE(relative_error(found, expected), 0.05);
  for (std::int64_t output = 0; output < kOut; ++output) {
    EXPECT_LE(relative_error(found.select(1, output) - bias_[output], expected.select(1, output) - bias_[output]), 0.08)
        << output;
  }
}

TEST_F(QuantisedLinear, WritesIntoMemoryThatIsThere) {
  for (const auto quantisation : {nn::Quantisation::fp8, nn::Quantisation::w8a8}) {
    const Rows x = quantise(at::randn({5, kIn}), quantisation);
    at::Tensor out = at::full({5, kOut}, std::numeric_limits<float>::quiet_NaN());
    linear(quantisation).into(out, x);
    EXPECT_TRUE(at::equal(out, linear(quantisation)(x)));
  }
}

TEST_F(QuantisedLinear, WithoutQuantisationItIsTheUsualOne) {
  const at::Tensor x = at::randn({5, kIn});
  EXPECT_TRUE(at::equal(linear(nn::Quantisation::none)({x, {}}), at::linear(x, weight_, bias_)));
}

TEST_F(QuantisedLinear, Int8IsOneScaleAnOutputTimesIntegers) {
  const at::Tensor x = at::randn({33, kIn});
  const Linear quantised = linear(nn::Quantisation::int8);
  const at::Tensor scales = weight_.abs().amax({1}, true) / 127;
  const at::Tensor stands_for = at::round(weight_ / scales) * scales;
  EXPECT_LE(relative_error(quantised({x, {}}), at::linear(x, stands_for, bias_)), 1e-5);
  at::Tensor out = at::full({33, 2 * kOut}, std::numeric_limits<float>::quiet_NaN());
  quantised.into(out.narrow(1, kOut, kOut), {x, {}});  // strided rows
  EXPECT_TRUE(at::equal(out.narrow(1, kOut, kOut), quantised({x, {}})));
  // Rounding takes half a step at most, 1/254 of a row's largest: 0.6 % in the mean of a normal row.
  const double error = relative_error(quantised({x, {}}) - bias_, at::linear(x, weight_));
  EXPECT_GE(error, 1e-3);
  EXPECT_LE(error, 1e-2);
}

TEST_F(QuantisedLinear, Int8OfARowOfZerosIsZero) {
  const test::WeightFile zeros({{"weight", at::zeros({3, 5})}, {"bias", at::zeros({3})}});
  const Linear quantised(zeros.reader({c10::kCPU, at::kFloat, nn::Quantisation::int8}), 5, 3);
  EXPECT_TRUE(at::equal(quantised({at::ones({2, 5}), {}}), at::zeros({2, 3})));
}

TEST_F(QuantisedLinear, W8a8IsTheProductOfWhatTheIntegersStandFor) {
  const Rows x = quantise(at::randn({33, kIn}) * at::logspace(-2, 2, 33).unsqueeze(1), nn::Quantisation::w8a8);
  const at::Tensor scales = weight_.abs().amax({1}, true) / 127;
  const at::Tensor wide_weight = (at::round(weight_ / scales) * scales).to(at::kDouble);
  const at::Tensor expected = at::addmm(bias_.to(at::kDouble), dequantise(x, at::kDouble), wide_weight.t());
  const at::Tensor found = linear(nn::Quantisation::w8a8)(x);
  EXPECT_LE(relative_error(found, expected), 1e-6);
  EXPECT_TRUE(at::equal(found, linear(nn::Quantisation::w8a8)(x)));
  // Each row on its own: how many there are must not show.
  for (const std::int64_t row : {0, 17, 32})
    EXPECT_TRUE(at::equal(linear(nn::Quantisation::w8a8)(x.narrow(row, 1)), found.narrow(0, row, 1))) << row;
}

TEST_F(QuantisedLinear, W8a8IsCloseToTheFloatProductForWeightsOfAllSizes) {
  const at::Tensor x = at::randn({200, kIn});
  const at::Tensor found = linear(nn::Quantisation::w8a8)(quantise(x, nn::Quantisation::w8a8));
  for (std::int64_t output = 0; output < kOut; ++output) {
    // Two operands with 0.6 % in the mean each.
    const at::Tensor product = at::linear(x, weight_).select(1, output);
    const double error = relative_error(found.select(1, output) - bias_[output], product);
    EXPECT_GE(error, 1e-3) << output;
    EXPECT_LE(error, 2e-2) << output;
  }
}

TEST(QuantisedWideLinear, SumsBeyondWhatFloatHoldsAreExact) {
  // 4,111 products of 127 x 127 and one of 127 x 1 come to 66,306,446: above 2^24, and not divisible by 4.
  constexpr std::int64_t kWide = 4112;
  at::Tensor weight = at::full({16, kWide}, 127.0F);
  weight.select(1, 7).fill_(1.0F);
  const test::WeightFile file({{"weight", weight}, {"bias", at::zeros({16})}});
  const Linear linear(file.reader({c10::kCPU, at::kFloat, nn::Quantisation::w8a8}), kWide, 16);
  at::Tensor x = at::full({2, kWide}, 127.0F);
  x.select(0, 1).neg_();
  const at::Tensor found = linear(quantise(x, nn::Quantisation::w8a8));
  const double sum = 4111.0 * 127 * 127 + 127;
  EXPECT_TRUE(at::equal(found[0], at::full({16}, static_cast<float>(sum)))) << found[0][0];
  EXPECT_TRUE(at::equal(found[1], at::full({16}, -static_cast<float>(sum)))) << found[1][0];
}

TEST_F(QuantisedLinear, FactorsOfLowRankAreAddedUnquantised) {
  const at::Tensor down = at::randn({3, kIn}), up = at::randn({kOut, 3});
  const test::WeightFile with(
      {{"weight", weight_}, {"bias", bias_}, {"lora_down.weight", down}, {"lora_up.weight", up}});
  using Q = nn::Quantisation;
  for (const Q quantisation : {Q::none, Q::int8, Q::fp8, Q::w8a8}) {
    const Rows x = quantise(at::randn({4133, kIn}), of_rows(quantisation));  // in 8 bits more than one part
    Linear both(with.reader({c10::kCPU, at::kFloat, quantisation}), kIn, kOut);
    const at::Tensor beside = at::mm(at::mm(dequantise(x, at::kFloat), down.t()), up.t());
    const at::Tensor expected = linear(quantisation)(x) + beside;
    EXPECT_LE(relative_error(both(x), expected), 1e-6) << static_cast<int>(quantisation);
    at::Tensor out = at::full({4133, kOut}, std::numeric_limits<float>::quiet_NaN());
    both.into(out, x);
    EXPECT_TRUE(at::equal(out, both(x)));
    EXPECT_EQ(both.parameters().size(), linear(quantisation).parameters().size());
  }
}

TEST_F(QuantisedLinear, OddWidthsAreRefused) {
  const test::WeightFile odd({{"weight", at::randn({kOut, 24})}, {"bias", bias_}});
  for (const auto quantisation : {nn::Quantisation::fp8, nn::Quantisation::w8a8})
    EXPECT_THROW(Linear(odd.reader({c10::kCPU, at::kFloat, quantisation}), 24, kOut), c10::Error);
}

}  // namespace
}  // namespace reelfarm::quant::testing

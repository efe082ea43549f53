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
  const Rows x = quantise(at::randn({5, kIn}), nn::Quantisation::fp8);
  at::Tensor out = at::full({5, kOut}, std::numeric_limits<float>::quiet_NaN());
  linear(nn::Quantisation::fp8).into(out, x);
  EXPECT_TRUE(at::equal(out, linear(nn::Quantisation::fp8)(x)));
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

TEST_F(QuantisedLinear, OddWidthsAreRefused) {
  const test::WeightFile odd({{"weight", at::randn({kOut, 24})}, {"bias", bias_}});
  EXPECT_THROW(Linear(odd.reader({c10::kCPU, at::kFloat, nn::Quantisation::fp8}), 24, kOut), c10::Error);
}

}  // namespace
}  // namespace reelfarm::quant::testing

// The CUDA plug-in's 8-bit kernels against the plain form on the CPU. Without a GPU that multiplies in 8 bits this test
// says so and counts as missing (exit code 77).
#include <cstdio>

#include <gtest/gtest.h>

#include "pipeline/nn/add.hpp"
#include "pipeline/nn/attention.hpp"
#include "pipeline/nn/cuda_kernels.hpp"
#include "pipeline/nn/gelu.hpp"
#include "pipeline/quant/attention.hpp"
#include "pipeline/quant/joined.hpp"
#include "pipeline/quant/linear.hpp"
#include "pipeline/quant/norm.hpp"
#include "tests/support/gpu_tests.hpp"
#include "tests/support/relative_error.hpp"
#include "tests/support/weight_file.hpp"

namespace reelfarm::quant::testing {
using test::relative_error;
using test::WeightFile;

namespace {

constexpr auto kFp8 = nn::Quantisation::fp8;
constexpr auto kW8a8 = nn::Quantisation::w8a8;
constexpr auto kNone = nn::Quantisation::none;
const c10::Device kGpu(c10::kCUDA, 0);

at::Tensor random(at::IntArrayRef shape) {
  return at::randn(shape).to(at::kBFloat16);
}

at::Tensor back(const Rows& rows) {
  return dequantise(rows, at::kFloat).cpu();
}

Rows on_gpu(const Rows& rows) {
  return {rows.values.to(kGpu), rows.plain() ? at::Tensor() : rows.scales.to(kGpu)};
}

void expect_same(const Rows& found, const Rows& expected) {
  ASSERT_EQ(found.values.scalar_type(), expected.values.scalar_type());
  ASSERT_EQ(found.plain(), expected.plain());
  if (!found.plain()) {
    EXPECT_LE(relative_error(found.scales, expected.scales), 4e-3);
  }
  EXPECT_LE(relative_error(back(found), back(expected)), found.plain() ? 4e-3 : 2e-2);
}

TEST(CudaQuantise, RoundsAsWellAsTheCpu) {
  for (const std::int64_t features : {64, 1024, 3072, 12288, 16384, 20000}) {  // the last is beyond the kernel
    const at::Tensor x = random({37, features}) * at::logspace(-3, 3, 37).unsqueeze(1).to(at::kBFloat16);
    const Rows expected = quantise(x, kFp8);
    const Rows found = quantise(x.to(kGpu), kFp8);
    EXPECT_LE(relative_error(found.scales, expected.scales), 1e-6) << features;
    // Of values half-way between two of e4m3, which are common among ratios of bf16, either side is right: the kernel
    // multiplies where the plain form divides. So errors are compared, not values.
    const auto error = [&](const Rows& rows) { return (back(rows) - x).abs(); };
    EXPECT_TRUE((error(found) <= error(expected) + x.abs() * 1e-5).all().item<bool>()) << features;
  }
}

TEST(CudaQuantise, IntegersAreWithinHalfAScaleAndMostlyThoseOfTheCpu) {
  for (const std::int64_t features : {64, 1024, 3072, 12288, 16384, 20000}) {
    const at::Tensor x = random({37, features}) * at::logspace(-3, 3, 37).unsqueeze(1).to(at::kBFloat16);
    const Rows expected = quantise(x, kW8a8);
    const Rows found = quantise(x.to(kGpu), kW8a8);
    EXPECT_LE(relative_error(found.scales, expected.scales), 1e-6) << features;
    const at::Tensor error = (back(found) - x).abs();
    EXPECT_TRUE((error <= found.scales.cpu() * 0.5001).all().item<bool>()) << features;
    EXPECT_EQ(found.values.cpu().to(at::kInt).abs().max().item<int>(), 127);
  }
}

TEST(CudaQuantise, ZerosStayAndNanIsNotHidden) {
  for (const auto quantisation : {kFp8, kW8a8}) {
    at::Tensor x = at::zeros({2, 64}, at::kBFloat16);
    x[1][9] = std::numeric_limits<float>::quiet_NaN();
    const at::Tensor found = back(quantise(x.to(kGpu), quantisation));
    EXPECT_TRUE(at::equal(found[0], at::zeros({64})));
    EXPECT_TRUE(found[1][9].isnan().item<bool>());
  }
}

TEST(CudaJoined, AgreesWithTheCpu) {
  for (const std::int64_t width : {64, 256, 3072}) {
    for (const auto quantisation : {kNone, kFp8, kW8a8}) {
      for (const bool left_in_8_bits : {false, true}) {
        const at::Tensor joined = random({35, 5 * width});
        const at::Tensor gpu_joined = joined.to(kGpu);
        const auto right = [&](const at::Tensor& all) {
          const at::Tensor part = all.narrow(1, width, 4 * width);
          return quantisation == kNone ? part : part.contiguous();
        };
        const Rows left = quantise(random({35, width}), left_in_8_bits ? kFp8 : kNone);
        const Rows found = join_gelu(on_gpu(left), right(gpu_joined), gpu_joined, quantisation);
        expect_same(found, join_gelu(left, right(joined), joined, quantisation));
      }
    }
  }
}

TEST(CudaJoined, GeluAloneAgreesWithTheCpu) {
  for (const auto quantisation : {kNone, kFp8, kW8a8}) {
    const at::Tensor x = random({35, 1024}) * 3;
    const Rows found = gelu(x.to(kGpu), quantisation);
    expect_same(found, gelu(x.clone(), quantisation));
  }
}

TEST(CudaNorm, AgreesWithTheCpu) {
  for (const std::int64_t features : {64, 256, 3072, 8192}) {
    const at::Tensor x = random({41, features}) * 3 + 5;
    const at::Tensor scale = random({features});
    const at::Tensor shift = random({features});
    for (const auto quantisation : {kFp8, kW8a8}) {
      const Rows found = modulated_layer_norm(x.to(kGpu), scale.to(kGpu), shift.to(kGpu), 1e-6, quantisation);
      expect_same(found, modulated_layer_norm(x, scale, shift, 1e-6, quantisation));
    }
  }
}

TEST(CudaGatedAdd, AgreesWithTheCpu) {
  for (const std::int64_t features : {8, 256, 3072, 3074}) {  // the last is not for the kernel
    const at::Tensor x = random({41, features});
    const at::Tensor y = random({41, features});
    const at::Tensor gate = random({features});
    const at::Tensor found = x.to(kGpu);
    nn::add_gated_(found, y.to(kGpu), gate.to(kGpu));
    const at::Tensor expected = x.to(at::kDouble) + y.to(at::kDouble) * gate.to(at::kDouble);
    EXPECT_LE(relative_error(found, expected), 3e-3) << features;
  }
}

/// Of the GPU's product of the same operands from the plain form's.
double product_error(std::int64_t rows, std::int64_t in, nn::Quantisation quantisation) {
  const std::int64_t out = 768;
  const WeightFile file({{"weight", at::randn({out, in})}, {"bias", at::randn({out})}});
  const Rows x = quantise(random({rows, in}), quantisation);
  const Linear cpu(file.reader({c10::kCPU, at::kBFloat16, quantisation}), in, out);
  const Linear gpu(file.reader({kGpu, at::kBFloat16, quantisation}), in, out);
  return relative_error(gpu(on_gpu(x)), cpu(x));
}

TEST(CudaLinear, AgreesWithThePlainForm) {
  for (const std::int64_t in : {256, 1024, 3072})
    for (const std::int64_t rows : {1, 77, 512}) EXPECT_LE(product_error(rows, in, kFp8), 6e-3) << rows << " x " << in;
}

TEST(CudaLinear, IntegersAgreeWithThePlainForm) {
  // Few rows are padded, many are multiplied in parts, of which the last is short again.
  for (const std::int64_t in : {256, 3072})
    for (const std::int64_t rows : {1, 16, 17, 77, 512, 4096, 4097, 9000})
      EXPECT_LE(product_error(rows, in, kW8a8), 1e-3) << rows << " x " << in;
}

TEST(CudaAttentionIn8Bits, IsAsCloseToTheFloatOneAsThePlainForm) {
  for (const std::int64_t head_dim : {32, 64, 128}) {
    for (const std::int64_t tokens : {301, 2048, 5000}) {
      const at::Tensor q = random({tokens, 4, head_dim}) * 2;
      const at::Tensor k = random({tokens, 4, head_dim}) + random({1, 4, head_dim}) * 8;
      const at::Tensor v = random({tokens, 4, head_dim});
      const auto wide = [](const at::Tensor& x) { return x.to(kGpu, at::kFloat).unsqueeze(0); };
      const at::Tensor expected = nn::attention(wide(q), wide(k), wide(v))[0].flatten(1);
      ASSERT_TRUE(attention_fits(q.to(kGpu), k.to(kGpu))) << nn::cuda_kernels()->fp8_attention_error();
      const double error = relative_error(back(attention(q.to(kGpu), k.to(kGpu), v.to(kGpu))), expected);
      const double plain = relative_error(back(attention(q, k, v)), expected);
      std::printf("attention %5ld tokens, heads of %3ld: error %.4f, of the plain form %.4f\n", tokens, head_dim, error,
                  plain);
      // Noise shows all of the rounding of q and k in the scores: 7 % here. The plain form leaves the softmax's
      // numerators as they are, where the kernel rounds them to 8 bits.
      EXPECT_LE(error, 1.1 * plain) << tokens << " tokens, heads of " << head_dim;
    }
  }
}

TEST(CudaQuantised, Int8WeightsGiveTheProductOfTheCpu) {
  const at::Tensor weight = at::randn({192, 320});
  const WeightFile file({{"weight", weight}, {"bias", at::randn({192})}});
  const auto product = [&](c10::Device device, const at::Tensor& x) {
    const Linear linear(file.reader({device, at::kBFloat16, nn::Quantisation::int8}), 320, 192);
    at::Tensor out = at::zeros({x.size(0), 400}, x.options().device(device));
    linear.into(out.narrow(1, 100, 192), {x.to(device), {}});
    return out.narrow(1, 100, 192).cpu();
  };
  const at::Tensor x = random({77, 320});
  EXPECT_LE(relative_error(product(kGpu, x), product(c10::kCPU, x)), 4e-3);
}

}  // namespace
}  // namespace reelfarm::quant::testing

int main(int argc, char** argv) {
  return reelfarm::test::run_gpu_tests(argc, argv, 90);
}

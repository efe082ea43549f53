#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include <ATen/Parallel.h>

#include "pipeline/nn/add.hpp"
#include "pipeline/nn/group_norm.hpp"
#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/vae/causal_padding.hpp"
#include "pipeline/vae/frames.hpp"
#include "pipeline/weights/safetensors_writer.hpp"
#include "tests/vae/reference_case.hpp"

namespace reelfarm::vae {
namespace {

constexpr auto kChannelsLast = at::MemoryFormat::ChannelsLast3d;

struct Affine {
  at::Tensor weight;
  at::Tensor bias;
};

nn::GroupNorm make_norm(const Affine& affine, std::int64_t groups, at::ScalarType dtype) {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("group_norm_" + std::to_string(getpid()) + ".safetensors");
  const std::int64_t channels = affine.weight.size(0);
  weights::SafetensorsWriter writer(
      path, {{"weight", weights::DType::f32, {channels}}, {"bias", weights::DType::f32, {channels}}});
  const auto bytes = [](const at::Tensor& t) {
    return std::span(static_cast<const std::byte*>(t.const_data_ptr()), t.nbytes());
  };
  writer.append("weight", bytes(affine.weight));
  writer.append("bias", bytes(affine.bias));
  writer.finish();
  nn::GroupNorm norm(nn::ParameterReader(weights::TensorSource::open(path), {at::kCPU, dtype}), groups, channels, 1e-6);
  std::filesystem::remove(path);
  return norm;
}

Affine random_affine(std::int64_t channels) {
  return {at::randn({channels}) * 0.3 + 1.0, at::randn({channels})};
}

at::Tensor expected_norm_silu(const at::Tensor& x, const Affine& affine, std::int64_t groups) {
  return at::silu(
      at::group_norm(x.to(at::kDouble), groups, affine.weight.to(at::kDouble), affine.bias.to(at::kDouble), 1e-6));
}

TEST(GroupNormSilu, AgreesWithItsDefinitionForAnyChannelCountAndMean) {
  at::manual_seed(1);
  for (const auto& [channels, groups] : {std::pair{1, 1}, {3, 1}, {16, 4}, {24, 8}, {40, 8}, {130, 2}, {512, 32}}) {
    for (const double mean : {0.0, 300.0}) {
      const Affine affine = random_affine(channels);
      const at::Tensor x = (at::randn({2, channels, 3, 5, 7}) + mean).contiguous(kChannelsLast);
      const at::Tensor out = at::empty_like(x);
      make_norm(affine, groups, at::kFloat).silu_into(x, out);
      // fp32 itself resolves 300 to 3e-5 of a standard deviation.
      EXPECT_LE(relative_error(out, expected_norm_silu(x, affine, groups)), mean == 0.0 ? 1e-6 : 1e-4)
          << channels << " channels, mean " << mean;
      const at::Tensor half = x.to(at::kBFloat16);
      const at::Tensor half_out = at::empty_like(half);
      make_norm(affine, groups, at::kBFloat16).silu_into(half, half_out);
      // Two roundings at most, each up to 2^-9.
      EXPECT_LE(relative_error(half_out, expected_norm_silu(half, affine, groups)), 4e-3)
          << channels << " channels bf16, mean " << mean;
    }
  }
}

TEST(GroupNormSilu, AddsAnOffsetToItsInputWithoutRoundingTheSum) {
  at::manual_seed(5);
  for (const auto& [channels, groups] : {std::pair{3, 1}, {16, 4}, {40, 8}}) {
    const Affine affine = random_affine(channels);
    const at::Tensor x = at::randn({2, channels, 3, 5, 7}).to(at::kBFloat16).contiguous(kChannelsLast);
    const at::Tensor offset = at::randn({1, channels, 1, 1, 1}) * 3;
    const at::Tensor expected =
        expected_norm_silu(x.to(at::kDouble) + offset.to(at::kDouble), affine, groups).contiguous(kChannelsLast);
    const at::Tensor out = at::empty_like(x);
    make_norm(affine, groups, at::kBFloat16).silu_into(x, out, offset);
    // The result's rounding alone: half a unit in the last of 8 places, 2^-9 at most.
    EXPECT_LE(relative_error(out, expected), 2e-3) << channels << " channels";
  }
}

TEST(GroupNormSilu, WritesOnlyTheInsideOfALargerBuffer) {
  at::manual_seed(2);
  const Affine affine = random_affine(24);
  const at::Tensor x = at::randn({1, 24, 3, 5, 7}).contiguous(kChannelsLast);
  const at::Tensor buffer = at::full({1, 24, 5, 7, 9}, 42.0).contiguous(kChannelsLast);
  const at::Tensor inside = buffer.slice(2, 2).slice(3, 1, 6).slice(4, 1, 8);
  make_norm(affine, 8, at::kFloat).silu_into(x, inside);
  EXPECT_LE(relative_error(inside, expected_norm_silu(x, affine, 8)), 1e-6);
  EXPECT_EQ((buffer == 42.0).sum().item<std::int64_t>(), buffer.numel() - inside.numel());
}

TEST(GroupNormSilu, TakesTheDefaultMemoryOrderToo) {
  at::manual_seed(5);
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const Affine affine = random_affine(6);
    const at::Tensor x = (at::randn({2, 6, 3, 5, 7}) + 3.0).to(dtype);
    const at::Tensor out = at::empty_like(x);
    make_norm(affine, 2, dtype).silu_into(x, out);
    EXPECT_LE(relative_error(out, expected_norm_silu(x, affine, 2)), dtype == at::kFloat ? 2e-6 : 2e-3);
  }
}

TEST(GroupNorm, WithoutSiluAgreesWithItsDefinition) {
  at::manual_seed(6);
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const Affine affine = random_affine(12);
    const at::Tensor x = (at::randn({2, 12, 3, 5, 7}) + 3.0).to(dtype).contiguous(kChannelsLast);
    const at::Tensor expected =
        at::group_norm(x.to(at::kDouble), 4, affine.weight.to(at::kDouble), affine.bias.to(at::kDouble), 1e-6);
    EXPECT_LE(relative_error(make_norm(affine, 4, dtype)(x), expected), dtype == at::kFloat ? 2e-6 : 2e-3);
  }
}

TEST(GroupNormSilu, ANotANumberStaysOne) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const Affine affine = random_affine(16);
    const at::Tensor x = at::randn({1, 16, 2, 3, 3}).to(dtype).contiguous(kChannelsLast);
    x[0][0][0][0][0] = std::numeric_limits<float>::quiet_NaN();
    const at::Tensor out = at::empty_like(x);
    make_norm(affine, 16, dtype).silu_into(x, out);
    EXPECT_TRUE(out.select(1, 0).isnan().all().item<bool>());
    EXPECT_FALSE(out.narrow(1, 1, 15).isnan().any().item<bool>());
  }
}

TEST(GroupNormSilu, FarValuesNeitherOverflowNorLoseTheirSign) {
  const Affine affine{at::full({1}, 1000.0), at::zeros({1})};
  const at::Tensor x = at::randn({1, 1, 4, 8, 8}).contiguous(kChannelsLast);
  const at::Tensor out = at::empty_like(x);
  make_norm(affine, 1, at::kFloat).silu_into(x, out);
  EXPECT_LE(relative_error(out, expected_norm_silu(x, affine, 1)), 1e-6);
}

TEST(GroupNormSilu, HasTheSameBitsForAnyNumberOfThreads) {
  at::manual_seed(3);
  const Affine affine = random_affine(24);
  const at::Tensor x = at::randn({1, 24, 9, 40, 50}).contiguous(kChannelsLast);
  const nn::GroupNorm norm = make_norm(affine, 8, at::kFloat);
  const int threads = at::get_num_threads();
  std::vector<at::Tensor> results;
  for (const int count : {1, 2, 3}) {
    at::set_num_threads(count);
    results.push_back(at::empty_like(x));
    norm.silu_into(x, results.back());
  }
  at::set_num_threads(threads);
  EXPECT_TRUE(results[0].equal(results[1]));
  EXPECT_TRUE(results[0].equal(results[2]));
}

TEST(Add, HasTheBitsOfLibTorchsSum) {
  at::manual_seed(4);
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor x = at::randn({1, 5, 3, 4, 7}).to(dtype).contiguous(kChannelsLast);
    for (const at::Tensor& y : {at::randn_like(x), at::randn_like(x).contiguous()}) {
      const at::Tensor expected = y + x;
      nn::add_(y, x);
      EXPECT_TRUE(y.equal(expected));
    }
  }
}

TEST(Add, OfABiasRoundsTheWholeSumOnce) {
  at::manual_seed(6);
  const at::Tensor x = at::randn({1, 5, 3, 4, 7}).to(at::kBFloat16).contiguous(kChannelsLast);
  const at::Tensor y = at::randn_like(x);
  const at::Tensor bias = at::randn({1, 5, 1, 1, 1});
  const at::Tensor expected = (y.to(at::kFloat) + (x.to(at::kFloat) + bias)).to(at::kBFloat16);
  nn::add_(y, x, bias);
  EXPECT_TRUE(y.equal(expected));
}

TEST(PaddedVideo, RepeatsTheBordersAndTheFirstFrame) {
  const at::Tensor x = at::randn({1, 3, 4, 5, 6}).contiguous(kChannelsLast);
  const PaddedVideo padded(x, 2, 1);
  EXPECT_TRUE(padded.whole().equal(at::replication_pad3d(x.contiguous(), {1, 1, 1, 1, 2, 0})));
  EXPECT_TRUE(padded.whole().is_contiguous(kChannelsLast));
}

TEST(Frames, AreRoundedToNearestAfterClamping) {
  const at::Tensor unit = at::tensor({-0.2, 0.0, 25.6 / 255, 127.4 / 255, 127.6 / 255, 1.0, 1.7});
  const at::Tensor sample = (unit * 2 - 1).to(at::kFloat).view({1, 1, 1, 1, 7}).expand({1, 3, 1, 1, 7});
  const at::Tensor frames = unit_frames(sample);
  EXPECT_EQ(frames.sizes(), (std::vector<std::int64_t>{1, 1, 7, 3}));
  const at::Tensor rgb = quantise_frames(frames);
  EXPECT_EQ(rgb.scalar_type(), at::kByte);
  EXPECT_TRUE(rgb.select(3, 1).flatten().equal(at::tensor({0, 0, 26, 127, 128, 255, 255}).to(at::kByte)));
}

TEST(Frames, GoThroughTheSampleRangeAndBackUnchanged) {
  const at::Tensor rgb = at::arange(256).to(at::kByte).view({1, 16, 16, 1}).expand({2, 16, 16, 3}).contiguous();
  const at::Tensor sample = frames_to_sample(rgb);
  EXPECT_EQ(sample.sizes(), (std::vector<std::int64_t>{1, 3, 2, 16, 16}));
  EXPECT_FLOAT_EQ(sample.max().item<float>(), 1.0F);
  EXPECT_FLOAT_EQ(sample.min().item<float>(), -1.0F);
  EXPECT_TRUE(quantise_frames(unit_frames(sample)).equal(rgb));
}

}  // namespace
}  // namespace reelfarm::vae

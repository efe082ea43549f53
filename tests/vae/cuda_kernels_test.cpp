// The CUDA plug-in's passes over videos against the CPU. Without a GPU this test says so and counts as missing (exit
// code 77).
#include <gtest/gtest.h>

#include "pipeline/nn/add.hpp"
#include "pipeline/nn/group_norm.hpp"
#include "pipeline/nn/video_kernels.hpp"
#include "pipeline/vae/causal_padding.hpp"
#include "pipeline/vae/phase_interleave.hpp"
#include "tests/support/gpu_tests.hpp"
#include "tests/support/relative_error.hpp"
#include "tests/support/weight_file.hpp"

namespace reelfarm::vae {
namespace {

using test::relative_error;

constexpr double kTolerance = 3e-3;
const c10::Device kGpu(c10::kCUDA, 0);

at::Tensor video(at::IntArrayRef shape) {
  return (at::randn(shape) * 2 + 0.5).to(at::kBFloat16).contiguous(at::MemoryFormat::ChannelsLast3d);
}

at::Tensor to_gpu(const at::Tensor& x) {
  return x.to(kGpu).contiguous(at::MemoryFormat::ChannelsLast3d);
}

TEST(VideoKernels, PaddingAgreesWithTheCpu) {
  for (const std::int64_t channels : {8, 24, 512}) {
    for (const std::int64_t space : {0, 1}) {
      const at::Tensor x = video({1, channels, 3, 5, 7});
      ASSERT_TRUE(nn::plugin_takes_video(to_gpu(x)));
      EXPECT_TRUE(at::equal(PaddedVideo(to_gpu(x), 2, space).whole().cpu(), PaddedVideo(x, 2, space).whole()));
    }
  }
}

TEST(VideoKernels, NormSiluAndPaddingAgreeWithTheCpu) {
  for (const std::int64_t channels : {32, 96, 128, 512}) {
    const test::WeightFile file({{"weight", at::randn({channels})}, {"bias", at::randn({channels})}});
    const auto norm = [&](c10::Device device) {
      return nn::GroupNorm(file.reader({device, at::kBFloat16}), 16, channels, 1e-6);
    };
    const at::Tensor x = video({1, channels, 4, 33, 47}) + at::randn({1, channels, 1, 1, 1}).to(at::kBFloat16);
    for (const bool shifted : {false, true}) {
      const at::Tensor offset = shifted ? at::randn({1, channels, 1, 1, 1}) : at::Tensor();
      const PaddedVideo expected({1, channels, 4, 33, 47}, x.options().dtype(at::kFloat), 2, 1);
      norm(c10::kCPU).silu_into(x.to(at::kFloat), expected.inside(), offset);
      expected.replicate_borders();
      const PaddedVideo found({1, channels, 4, 33, 47}, x.options().device(kGpu), 2, 1);
      ASSERT_TRUE(norm(kGpu).silu_into_padded(to_gpu(x), found.whole(), 2, 1, shifted ? offset.to(kGpu) : offset));
      EXPECT_LE(relative_error(found.whole(), expected.whole()), kTolerance) << channels;
    }
  }
}

TEST(VideoKernels, BiasedAdditionAgreesWithTheCpu) {
  const at::Tensor y = video({1, 24, 3, 5, 7});
  const at::Tensor x = video({1, 24, 3, 5, 7});
  const at::Tensor bias = at::randn({1, 24, 1, 1, 1});
  const at::Tensor found = to_gpu(y);
  nn::add_(found, to_gpu(x), bias.to(kGpu));
  EXPECT_LE(relative_error(found, y.to(at::kDouble) + x.to(at::kDouble) + bias), kTolerance);
}

TEST(VideoKernels, InterleavingAgreesWithTheCpu) {
  for (const bool time : {false, true}) {
    for (const bool space : {false, true}) {
      if (!time && !space) continue;
      const std::int64_t phases = (time ? 2 : 1) * (space ? 4 : 1);
      const at::Tensor x = video({1, phases * 16, 3, space ? 5 : 4, space ? 7 : 6});
      EXPECT_TRUE(
          at::equal(interleave_phases(to_gpu(x), 16, time, space).cpu(), interleave_phases(x, 16, time, space)));
      const at::Tensor bias = at::randn({1, phases * 16, 1, 1, 1});
      const at::Tensor expected = interleave_phases(x.to(at::kFloat) + bias, 16, time, space);
      EXPECT_LE(relative_error(interleave_phases(to_gpu(x), 16, time, space, bias.to(kGpu)), expected), kTolerance);
      EXPECT_LE(relative_error(interleave_phases(x, 16, time, space, bias), expected), kTolerance);
    }
  }
}

}  // namespace
}  // namespace reelfarm::vae

int main(int argc, char** argv) {
  return reelfarm::test::run_gpu_tests(argc, argv);
}

// The CUDA plug-in against the CPU. Without a GPU this test says so and counts as missing (exit code 77).
#include "pipeline/nn/cuda_kernels.hpp"

#include <gtest/gtest.h>

#include "pipeline/nn/attention.hpp"
#include "pipeline/nn/norm.hpp"
#include "pipeline/nn/rotary.hpp"
#include "tests/support/gpu_tests.hpp"
#include "tests/support/relative_error.hpp"

namespace reelfarm::nn {
using test::relative_error;

namespace {

constexpr double kEps = 1e-6;
const c10::Device kGpu(c10::kCUDA, 0);

struct Dtype {
  at::ScalarType type;
  double tolerance;
};
const Dtype kDtypes[] = {{at::kFloat, 2e-6}, {at::kBFloat16, 4e-3}};

TEST(CudaPlugin, IsLoadedWithTheBackend) {
  ASSERT_NE(cuda_kernels(), nullptr) << "libreelfarm_cuda.so was not found beside this program";
}

TEST(CudaPlugin, NormRotateAgreesWithTheCpu) {
  for (const std::int64_t head_dim : {6, 32, 64, 128, 192, 512}) {
    const at::Tensor angle = at::randn({301, head_dim / 2});
    const RotaryTable table{at::cos(angle), at::sin(angle)};
    const RotaryTable gpu_table{table.cos.to(kGpu), table.sin.to(kGpu)};
    const at::Tensor weight = at::randn({head_dim});
    for (const auto& [dtype, tolerance] : kDtypes) {
      for (const bool rotate : {true, false}) {
        // Rows of a wider buffer: the kernel must keep to its own.
        at::Tensor buffer = at::randn({301, 5 * head_dim + 2}).to(dtype);
        at::Tensor gpu_buffer = buffer.to(kGpu);
        const auto heads = [&](const at::Tensor& all) {
          return all.narrow(1, 0, 5 * head_dim).unflatten(1, {5, head_dim});
        };
        rms_norm_rotate_(heads(buffer), weight.to(dtype), kEps, rotate ? &table : nullptr);
        rms_norm_rotate_(heads(gpu_buffer), weight.to(kGpu, dtype), kEps, rotate ? &gpu_table : nullptr);
        EXPECT_LE(relative_error(gpu_buffer, buffer), tolerance) << "head_dim " << head_dim;
        EXPECT_TRUE(at::equal(gpu_buffer.narrow(1, 5 * head_dim, 2).cpu(), buffer.narrow(1, 5 * head_dim, 2)));
      }
    }
  }
}

TEST(CudaPlugin, ModulatedLayerNormAgreesWithTheCpu) {
  for (const std::int64_t features : {6, 192, 1024, 1026, 3072, 8192, 8194}) {  // the last is beyond the kernel
    for (const auto& [dtype, tolerance] : kDtypes) {
      const at::Tensor x = (at::randn({77, features}) * 3 + 5).to(dtype);
      const at::Tensor scale = at::randn({features}).to(dtype);
      const at::Tensor shift = at::randn({features}).to(dtype);
      const at::Tensor expected =
          modulated_layer_norm(x.to(at::kDouble), scale.to(at::kDouble), shift.to(at::kDouble), kEps);
      EXPECT_LE(relative_error(modulated_layer_norm(x.to(kGpu), scale.to(kGpu), shift.to(kGpu), kEps), expected),
                tolerance)
          << "features " << features;
    }
  }
}

TEST(CudaAttention, AgreesWithTheCpuWhicheverKernelTakesIt) {
  // 128 wide in bf16 goes to cuDNN, fp32 and 512 to the others.
  for (const std::int64_t head_dim : {32, 128, 512}) {
    for (const auto& [dtype, tolerance] : kDtypes) {
      const auto random = [&, type = dtype](std::int64_t tokens) { return at::randn({tokens, 3, head_dim}).to(type); };
      const at::Tensor q = random(301);
      const at::Tensor k = random(517);
      const at::Tensor v = random(517);
      const auto wide = [](const at::Tensor& x) { return x.to(at::kDouble); };
      const at::Tensor expected = attention(wide(q).unsqueeze(0), wide(k).unsqueeze(0), wide(v).unsqueeze(0))[0];
      const at::Tensor whole = attention(q.to(kGpu).unsqueeze(0), k.to(kGpu).unsqueeze(0), v.to(kGpu).unsqueeze(0))[0];
      EXPECT_LE(relative_error(whole, expected), tolerance) << "head_dim " << head_dim;
      if (head_dim > 256) continue;  // no kernel of this width gives the logarithm in bf16, and no model asks for it
      const AttentionPart part = attention_part(q.to(kGpu), k.to(kGpu), v.to(kGpu));
      const AttentionPart reference =
          attention_part(wide(q).to(at::kFloat), wide(k).to(at::kFloat), wide(v).to(at::kFloat));
      EXPECT_LE(relative_error(part.out, expected), tolerance) << "head_dim " << head_dim;
      ASSERT_EQ(part.lse.sizes(), reference.lse.sizes());
      EXPECT_LE(relative_error(part.lse, reference.lse), 1e-4) << "head_dim " << head_dim;
    }
  }
}

}  // namespace
}  // namespace reelfarm::nn

int main(int argc, char** argv) {
  return reelfarm::test::run_gpu_tests(argc, argv);
}

// Weights on their way to a GPU.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "pipeline/nn/upload.hpp"

namespace reelfarm::nn {
namespace {

const c10::Device kGpu(c10::kCUDA, 0);

// Sizes around the buffers' 16 MiB, and several tensors in a row, small ones between large ones: a buffer that is
// filled before it was sent, or sent before it was filled, shows as a wrong value.
TEST(CudaUpload, BringsEveryByteThere) {
  constexpr std::int64_t kMiB = std::int64_t{1} << 20;
  std::vector<std::pair<at::Tensor, at::Tensor>> pairs;
  for (const std::int64_t bytes : {std::int64_t{1}, kMiB - 1, 16 * kMiB - 1, std::int64_t{6144}, 16 * kMiB,
                                   16 * kMiB + 1, std::int64_t{3}, 201 * kMiB, kMiB}) {
    const at::Tensor host = at::randint(0, 256, {bytes}, at::kByte);
    pairs.emplace_back(host, upload(host, kGpu));
  }
  for (const auto& [host, device] : pairs) EXPECT_TRUE(at::equal(device.cpu(), host)) << host.numel();
}

TEST(CudaUpload, KeepsShapeAndType) {
  const at::Tensor host = at::randn({3, 1024, 1024}).to(at::kBFloat16);
  const at::Tensor device = upload(host, kGpu);
  EXPECT_EQ(device.sizes(), host.sizes());
  EXPECT_TRUE(at::equal(device.cpu(), host));
  const at::Tensor eight = host.to(at::kFloat8_e4m3fn);
  EXPECT_TRUE(at::equal(upload(eight, kGpu).to(at::kFloat).cpu(), eight.to(at::kFloat)));
}

// The memory of the result was another tensor's, which the stream may still be reading.
TEST(CudaUpload, WaitsForWhoUsesTheMemoryBeforeIt) {
  const at::Tensor zeros = at::zeros({64 << 20}, at::kByte);
  at::Tensor x = at::ones({4096, 4096}, at::TensorOptions(kGpu).dtype(at::kFloat));
  at::Tensor ones = at::ones({64 << 20}, at::TensorOptions(kGpu).dtype(at::kByte));
  for (int i = 0; i < 50; ++i) x = x.mm(x) / 4096;
  const at::Tensor sum = ones.sum();
  ones.reset();
  const at::Tensor there = upload(zeros, kGpu);
  EXPECT_EQ(sum.item<std::int64_t>(), 64 << 20);
  EXPECT_EQ(there.sum().item<std::int64_t>(), 0);
}

}  // namespace
}  // namespace reelfarm::nn

// Copies to the host that the device makes on its way.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "pipeline/nn/host_copy.hpp"

namespace reelfarm::nn {
namespace {

// The products take far longer than their launch: a copy that did not wait for them would hold other values, and one
// that waited for the products queued behind it would not be whole before they end.
TEST(CudaHostCopy, HoldsWhatTheStreamHadComputedAndLeavesTheStreamAlone) {
  const c10::Device gpu(c10::kCUDA, 0);
  const at::Tensor factor = at::eye(4096, at::TensorOptions(gpu).dtype(at::kFloat)) * 2;
  at::Tensor x = at::ones({4096, 4096}, at::TensorOptions(gpu).dtype(at::kFloat));
  for (int i = 0; i < 20; ++i) x = x.mm(factor);
  HostCopy copy(x);
  at::Tensor later = x;
  for (int i = 0; i < 20; ++i) later = later.mm(factor);
  const at::Tensor& values = copy.wait();
  EXPECT_TRUE(values.is_cpu());
  EXPECT_TRUE(values.is_pinned());
  EXPECT_TRUE(at::equal(values, at::full({4096, 4096}, 1 << 20, at::kFloat)));
}

}  // namespace
}  // namespace reelfarm::nn

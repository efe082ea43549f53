// Layers that are streamed to a GPU while it computes.
#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "pipeline/nn/layer_store.hpp"

namespace reelfarm::nn {
namespace {

const c10::Device kGpu(c10::kCUDA, 0);
constexpr std::int64_t kWidth = 2048;
constexpr std::int64_t kLayers = 9;

struct Layer {
  at::Tensor weight;
  std::vector<at::Tensor*> parameters() { return {&weight}; }
};

LayerStore<Layer> store_of(const at::Tensor& weights, std::int64_t resident) {
  return {kLayers, resident, kGpu, [&](std::int64_t i) { return Layer{weights[i].to(kGpu)}; }};
}

// A product takes longer than its launch and than a copy, so that copies run into products that have not ended if
// nothing holds them.
TEST(CudaLayerStore, CopiesNeverOvertakeWhatReadsTheirSlotNorFallBehindWhatNeedsIt) {
  const at::Tensor weights =
      at::randn({kLayers, kWidth, kWidth}).to(at::kBFloat16) / std::sqrt(static_cast<double>(kWidth));
  const at::Tensor x = at::randn({8192, kWidth}).to(kGpu, at::kBFloat16);
  const auto through = [&](const LayerStore<Layer>& layers, std::int64_t count) {
    at::Tensor y = x;
    layers.run(count, [&](const Layer& layer, std::int64_t) { y = at::mm(y, layer.weight); });
    return y;
  };
  const auto resident = store_of(weights, kLayers);
  for (const std::int64_t kept : {0, 1, 4, 8}) {
    const auto streamed = store_of(weights, kept);
    for (int round = 0; round < 20; ++round) {
      for (const std::int64_t count : {kLayers, kLayers - 1, kept + 1}) {
        EXPECT_TRUE(at::equal(through(streamed, count), through(resident, count))) << kept << " kept, " << count;
      }
    }
  }
}

}  // namespace
}  // namespace reelfarm::nn

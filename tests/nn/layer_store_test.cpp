#include "pipeline/nn/layer_store.hpp"

#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace reelfarm::nn {
namespace {

struct Layer {
  at::Tensor weight;  // (3, 5)
  at::Tensor half;    // (7) bf16
  at::Tensor small;   // (1) int8

  explicit Layer(std::int64_t i)
      : weight(at::full({3, 5}, static_cast<double>(i))),
        half(at::full({7}, static_cast<double>(10 * i), at::kBFloat16)),
        small(at::full({1}, i, at::kChar)) {}

  std::vector<at::Tensor*> parameters() { return {&weight, &half, &small}; }

  std::vector<double> values() const {
    return {weight.sum().item<double>() / 15, half.sum().item<double>() / 7, small.item<double>()};
  }
};

LayerStore<Layer> store_of(std::int64_t count, std::int64_t resident) {
  return {count, resident, c10::kCPU, [](std::int64_t i) { return Layer(i); }};
}

void expect_own_values(const Layer& layer, std::int64_t i) {
  const auto number = static_cast<double>(i);
  EXPECT_EQ(layer.values(), (std::vector<double>{number, 10 * number, number})) << i;
}

TEST(LayerStore, EveryLayerHasItsOwnValuesHoweverManyAreResident) {
  for (const std::int64_t count : {1, 2, 3, 8}) {
    for (std::int64_t resident = 0; resident <= count + 1; ++resident) {
      const auto layers = store_of(count, resident);
      for (int round = 0; round < 3; ++round) {
        std::int64_t seen = 0;
        layers.run(count, [&](const Layer& layer, std::int64_t i) {
          EXPECT_EQ(i, seen++);
          expect_own_values(layer, i);
        });
        EXPECT_EQ(seen, count);
      }
    }
  }
}

TEST(LayerStore, ARunMayEndBeforeTheLastLayerOrBeAbandoned) {
  const auto layers = store_of(7, 2);
  for (const std::int64_t count : {5, 7, 3, 1, 7, 4, 6}) layers.run(count, expect_own_values);
  for (const std::int64_t last : {2, 3, 5, 6}) {
    const auto abandon = [&](const Layer&, std::int64_t i) {
      if (i == last) throw std::runtime_error("cancelled");
    };
    EXPECT_THROW(layers.run(7, abandon), std::runtime_error);
    layers.run(7, expect_own_values);
  }
}

TEST(LayerStore, RunsOfSeveralThreadsComeOneAfterAnother) {
  const auto layers = store_of(6, 1);
  const auto often = [&] {
    for (int i = 0; i < 50; ++i) layers.run(6, expect_own_values);
  };
  std::thread other(often);
  often();
  other.join();
}

TEST(LayerStore, StreamedLayersTakeNoDeviceMemoryOfTheirOwn) {
  const auto layers = store_of(6, 2);
  std::set<const void*> places;
  layers.run(6, [&](const Layer& layer, std::int64_t) { places.insert(layer.weight.const_data_ptr()); });
  EXPECT_EQ(places.size(), 4U) << "two resident layers and two slots";
}

TEST(LayerStream, LayersOfAnotherSizeAreRefused) {
  LayerStream layers(c10::kCPU);
  at::Tensor small = at::zeros({100});
  at::Tensor large = at::zeros({1000});
  layers.take({&small});
  EXPECT_EQ(layers.layer_bytes(), 512);
  EXPECT_THROW(layers.take({&large}), std::invalid_argument);
}

}  // namespace
}  // namespace reelfarm::nn

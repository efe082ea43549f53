// The demo bundle's transformer with LoRAs added to its weights and beside them.
#include <filesystem>
#include <map>

#include <gtest/gtest.h>

#include "pipeline/nn/parameter_reader.hpp"
#include "tests/dit/reference_case.hpp"
#include "tests/support/weight_file.hpp"

namespace reelfarm::dit::testing {
namespace {

using Q = nn::Quantisation;
const std::filesystem::path kFolder = std::string(REELFARM_SOURCE_DIR) + "/bundles/demo/transformer";

/// Of rank `rank`, for every second matrix, as strong as a tenth of it.
test::WeightFile lora_of_every_second(std::int64_t rank, int from) {
  const auto base = weights::TensorSource::open(kFolder);
  std::map<std::string, at::Tensor> factors;
  int count = from;
  for (const std::string& name : base->names()) {
    const std::vector<std::int64_t>& shape = base->at(name).shape;
    if (shape.size() != 2 || !name.ends_with(".weight") || count++ % 2 != 0) continue;
    const std::string layer = "transformer." + name.substr(0, name.size() - std::string_view(".weight").size());
    const double size = read_tensor(base, name).norm().item<double>() / 10;
    const at::Tensor up = at::randn({shape[0], rank}), down = at::randn({rank, shape[1]});
    factors[layer + ".lora_A.weight"] = down;
    factors[layer + ".lora_B.weight"] = up * (size / at::mm(up, down).norm().item<double>());
  }
  return test::WeightFile(factors);
}

class LoraOfTransformer : public ::testing::Test {
 protected:
  at::Tensor forward(const nn::Placement& placement, bool apart, bool laid = true) const {
    std::vector<weights::Lora> loras;
    if (laid) loras = {{first_.path(), 1.0, apart}, {second_.path(), -0.5, apart}};
    const auto source = weights::TensorSource::with_loras(weights::TensorSource::open(kFolder), loras);
    const Transformer transformer(nn::ParameterReader(source, placement), config_);
    const Prepared prepared = transformer.prepare(text_, std::vector<float>{800.0F}, std::nullopt);
    return transformer.forward(input_, transformer.layout(5, 8, 12), prepared, 0);
  }

  const DitConfig config_ = DitConfig::from_file(kFolder / "config.json");
  const TextCondition text_{at::randn({20, config_.text_dim}), at::randn({config_.pooled_dim})};
  const at::Tensor input_ = at::randn({1, config_.in_channels, 5, 8, 12});
  const test::WeightFile first_ = lora_of_every_second(4, 0), second_ = lora_of_every_second(3, 1);
};

TEST_F(LoraOfTransformer, KeptApartItGivesWhatAddedItGives) {
  const nn::Placement fp32{c10::kCPU, at::kFloat};
  const at::Tensor added = forward(fp32, false), apart = forward(fp32, true);
  EXPECT_GE(relative_error(added, forward(fp32, false, false)), 1e-2);
  EXPECT_FALSE(at::equal(apart, added));
  EXPECT_LE(relative_error(apart, added), 1e-5);
}

TEST_F(LoraOfTransformer, BesideWeightsIn8BitsItIsAsCloseAsTheseAre) {
  const nn::Placement fp32{c10::kCPU, at::kFloat};
  const at::Tensor added = forward(fp32, false);
  for (const auto& [quantisation, largest] : {std::pair{Q::int8, 3e-2}, {Q::w8a8, 3e-2}, {Q::fp8, 0.12}}) {
    const double error = relative_error(forward({c10::kCPU, at::kFloat, quantisation}, true), added);
    EXPECT_LE(error, largest) << static_cast<int>(quantisation);
    EXPECT_GE(error, 5e-4) << static_cast<int>(quantisation);
  }
}

TEST_F(LoraOfTransformer, StreamedBlocksGiveTheSameBits) {
  for (const Q quantisation : {Q::none, Q::w8a8}) {
    nn::Placement placement{c10::kCPU, at::kFloat, quantisation};
    const at::Tensor expected = forward(placement, true);
    placement.resident_layers = 1;
    EXPECT_TRUE(at::equal(forward(placement, true), expected));
  }
}

}  // namespace
}  // namespace reelfarm::dit::testing

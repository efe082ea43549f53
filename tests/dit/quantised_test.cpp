// The demo bundle's transformer with its products and attention in 8 bits, in the plain form that the CPU has.
#include <filesystem>

#include <gtest/gtest.h>

#include "parallel/thread_group.hpp"
#include "pipeline/dit/sharded_forward.hpp"
#include "pipeline/nn/parameter_reader.hpp"
#include "tests/dit/reference_case.hpp"

namespace reelfarm::dit::testing {
namespace {

constexpr auto kFp8 = nn::Quantisation::fp8;
constexpr auto kW8a8 = nn::Quantisation::w8a8;
const std::vector<float> kTimesteps{1000.0F, 625.0F};

class QuantisedTransformer : public ::testing::Test {
 protected:
  static Transformer open(const nn::Placement& placement) {
    const std::filesystem::path folder = std::string(REELFARM_SOURCE_DIR) + "/bundles/demo/transformer";
    return {nn::ParameterReader(weights::TensorSource::open(folder), placement),
            DitConfig::from_file(folder / "config.json")};
  }

  at::Tensor forward(const nn::Placement& placement) const {
    const Transformer transformer = open(placement);
    const Prepared prepared = transformer.prepare(text_, kTimesteps, std::nullopt);
    return transformer.forward(input_, transformer.layout(5, 8, 12), prepared, 1);
  }

  at::Tensor over_two_ranks(const Transformer& transformer, const Prepared& prepared, parallel::MeshShape shape) const {
    at::Tensor result;
    parallel::run_thread_ranks(2, [&](parallel::ProcessGroup& group) {
      const parallel::Mesh mesh(group, shape);
      const at::Tensor velocity = ShardedForward(transformer, group, mesh, 5, 8, 12)(input_, prepared, 1);
      if (group.rank() == 0) result = velocity;
    });
    return result;
  }

  /// The same in every run: how far 8 bits are off depends on what they stand for.
  static at::Tensor random(at::IntArrayRef sizes, std::uint64_t seed) {
    return at::randn(sizes, at::detail::createCPUGenerator(seed), at::kFloat);
  }

  const DitConfig config_ = open({}).config();
  const TextCondition text_{random({20, config_.text_dim}, 1), random({config_.pooled_dim}, 2)};
  const at::Tensor input_ = random({1, config_.in_channels, 5, 8, 12}, 3);
};

TEST_F(QuantisedTransformer, StaysCloseToFp32) {
  const at::Tensor expected = forward({c10::kCPU, at::kFloat});
  const double products = relative_error(forward({c10::kCPU, at::kFloat, kFp8}), expected);
  const double both = relative_error(forward({c10::kCPU, at::kFloat, kFp8, true}), expected);
  std::printf("error with products in 8 bits %.4f, with attention too %.4f\n", products, both);
  // Rounding to 8 bits is off by 2.6 % in the mean; less than half a percent would mean that nothing was rounded.
  EXPECT_GE(products, 5e-3);
  EXPECT_LE(products, 0.12);
  EXPECT_LE(both, 0.15);
  EXPECT_NE(products, both);
}

TEST_F(QuantisedTransformer, Int8WeightsStayCloseToFp32) {
  const double error =
      relative_error(forward({c10::kCPU, at::kFloat, nn::Quantisation::int8}), forward({c10::kCPU, at::kFloat}));
  std::printf("error with weights in int8 %.4f\n", error);
  EXPECT_GE(error, 5e-4);
  EXPECT_LE(error, 3e-2);
}

TEST_F(QuantisedTransformer, W8a8StaysCloseToFp32AndRepeatsItsBits) {
  const at::Tensor found = forward({c10::kCPU, at::kFloat, kW8a8});
  const double error = relative_error(found, forward({c10::kCPU, at::kFloat}));
  const double weights_alone =
      relative_error(forward({c10::kCPU, at::kFloat, nn::Quantisation::int8}), forward({c10::kCPU, at::kFloat}));
  std::printf("error with weights and tokens in int8 %.4f\n", error);
  EXPECT_GE(error, weights_alone);
  EXPECT_LE(error, 3e-2);
  EXPECT_TRUE(at::equal(found, forward({c10::kCPU, at::kFloat, kW8a8})));
}

TEST_F(QuantisedTransformer, StreamedBlocksGiveTheSameBits) {
  for (const nn::Quantisation quantisation : {nn::Quantisation::none, kFp8, nn::Quantisation::int8, kW8a8}) {
    nn::Placement placement{c10::kCPU, at::kFloat, quantisation};
    const at::Tensor expected = forward(placement);
    const std::int64_t blocks = config_.num_double_blocks + config_.num_single_blocks;
    for (const std::int64_t resident : {std::int64_t{0}, std::int64_t{1}, config_.num_double_blocks, blocks - 1}) {
      placement.resident_layers = resident;
      EXPECT_TRUE(at::equal(forward(placement), expected)) << resident << " of " << blocks << " blocks";
    }
  }
}

TEST_F(QuantisedTransformer, W8a8OverRanksIsAsClose) {
  const at::Tensor expected = forward({c10::kCPU, at::kFloat});
  const Transformer transformer = open({c10::kCPU, at::kFloat, kW8a8});
  const Prepared prepared = transformer.prepare(text_, kTimesteps, std::nullopt);
  // Not the same bits: attention adds up in another order, and what comes to lie beyond a half is rounded the other
  // way.
  const double one_rank = relative_error(forward({c10::kCPU, at::kFloat, kW8a8}), expected);
  for (const parallel::MeshShape shape : {parallel::MeshShape{2, 1}, {1, 2}})
    EXPECT_LE(relative_error(over_two_ranks(transformer, prepared, shape), expected), 1.2 * one_rank);
}

TEST_F(QuantisedTransformer, OverRanksIsAsCloseAndAttentionIsIn8BitsWhereNoRingMerges) {
  const at::Tensor expected = forward({c10::kCPU, at::kFloat});
  const Transformer transformer = open({c10::kCPU, at::kFloat, kFp8, true});
  const Prepared prepared = transformer.prepare(text_, kTimesteps, std::nullopt);
  const auto error_over = [&](parallel::MeshShape shape) {
    return relative_error(over_two_ranks(transformer, prepared, shape), expected);
  };
  const double one_rank =
      relative_error(transformer.forward(input_, transformer.layout(5, 8, 12), prepared, 1), expected);
  const double products_alone = relative_error(forward({c10::kCPU, at::kFloat, kFp8}), expected);
  const double by_heads = error_over({2, 1});
  const double ring = error_over({1, 2});
  std::printf("error of one rank %.4f, of 2x1 %.4f; products alone %.4f, of 1x2 %.4f\n", one_rank, by_heads,
              products_alone, ring);
  EXPECT_LE(by_heads, 1.2 * one_rank);
  EXPECT_LE(ring, 1.2 * products_alone);
  EXPECT_GE(by_heads, 1.2 * ring);
}

TEST_F(QuantisedTransformer, ATokensScaleDoesNotDependOnItsNeighbours) {
  const Transformer transformer = open({c10::kCPU, at::kFloat, kFp8});
  const Prepared prepared = transformer.prepare(text_, kTimesteps, std::nullopt);
  const TokenLayout layout = transformer.layout(5, 8, 12);
  const at::Tensor tokens = patchify(config_, input_);
  const at::Tensor expected = transformer.forward_tokens(tokens, layout, prepared, 1, LocalJointAttention());
  at::Tensor far = tokens.clone();
  far.narrow(0, 60, 60).mul_(100);
  EXPECT_FALSE(at::equal(transformer.forward_tokens(far, layout, prepared, 1, LocalJointAttention()), expected));
  // Without attention tokens do not meet, so that the others must come out the same to the bit.
  class Blind final : public WholeAttention {
    quant::Rows attend(const at::Tensor& q, const at::Tensor&, const at::Tensor&, std::int64_t) const override {
      return {q.flatten(1), {}};
    }
  };
  const at::Tensor near = transformer.forward_tokens(tokens, layout, prepared, 1, Blind()).narrow(0, 0, 60);
  EXPECT_LE(relative_error(transformer.forward_tokens(far, layout, prepared, 1, Blind()).narrow(0, 0, 60), near), 1e-6);
}

}  // namespace
}  // namespace reelfarm::dit::testing

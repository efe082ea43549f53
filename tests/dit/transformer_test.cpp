#include "pipeline/dit/transformer.hpp"

#include <stdexcept>
#include <vector>

#include <gmock/gmock.h>

#include "pipeline/nn/attention.hpp"
#include "pipeline/nn/parameter_reader.hpp"
#include "tests/dit/reference_case.hpp"

namespace reelfarm::dit::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const std::vector<float> kTimesteps{1000.0F, 625.0F};

/// Runs the shards of one clip in turn instead of on ranks: the first pass of a block's shards collects q, k and v, so
/// the whole forward is repeated until each shard has seen the others' keys of every block.
class RecordedAttention final : public WholeAttention {
 public:
  struct Keys {
    at::Tensor k, v;
  };
  RecordedAttention(std::vector<std::vector<Keys>>& calls, std::size_t shard, std::int64_t valid)
      : calls_(calls), shard_(shard), valid_(valid) {}

 private:
  quant::Rows attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     std::int64_t image_tokens) const override {
    std::vector<Keys>& mine = calls_[shard_];
    const std::size_t block = position_++;
    if (mine.size() <= block) mine.resize(block + 1);
    mine[block] = {k.narrow(0, 0, image_tokens).clone(), v.narrow(0, 0, image_tokens).clone()};
    std::vector<at::Tensor> keys, values;
    for (const std::vector<Keys>& shard : calls_) {
      if (shard.size() <= block) continue;
      keys.push_back(shard[block].k);
      values.push_back(shard[block].v);
    }
    const auto joined = [&](std::vector<at::Tensor> parts, const at::Tensor& text) {
      const at::Tensor image = at::cat(parts, 0);
      return at::cat({image.narrow(0, 0, std::min(valid_, image.size(0))), text}, 0);
    };
    const std::int64_t text = k.size(0) - image_tokens;
    const at::Tensor attended =
        nn::attention(q.unsqueeze(0), joined(keys, k.narrow(0, image_tokens, text)).unsqueeze(0),
                      joined(values, v.narrow(0, image_tokens, text)).unsqueeze(0));
    return {attended[0].flatten(1), {}};
  }

  std::vector<std::vector<Keys>>& calls_;
  std::size_t shard_;
  std::int64_t valid_;
  mutable std::size_t position_ = 0;
};

class TransformerOf : public ::testing::TestWithParam<const char*> {
 protected:
  const ReferenceCase reference_{GetParam()};
  const Transformer transformer_ = reference_.transformer();
  const Prepared prepared_ = transformer_.prepare(reference_.text(), kTimesteps, reference_.guidance());
  const at::Tensor input_ = reference_.tensor("model_input");
  TokenLayout layout() const { return transformer_.layout(input_.size(2), input_.size(3), input_.size(4)); }
};

TEST_P(TransformerOf, ShardsWithPaddingGiveWhatOneRankGives) {
  const at::Tensor tokens = patchify(transformer_.config(), input_);
  const at::Tensor whole = transformer_.forward_tokens(tokens, layout(), prepared_, 1, LocalJointAttention());
  constexpr std::int64_t kShards = 4;
  const std::int64_t count = (tokens.size(0) + kShards - 1) / kShards;
  const at::Tensor padded =
      at::cat({tokens, at::full({count * kShards - tokens.size(0), tokens.size(1)}, 1e3, tokens.options())});
  std::vector<std::vector<RecordedAttention::Keys>> calls(kShards);
  at::Tensor parts;
  // Block b of a pass sees what the pass before gave for block b: after one pass per block all keys are right.
  for (int pass = 0; pass <= transformer_.num_blocks(); ++pass) {
    std::vector<at::Tensor> outputs;
    for (std::int64_t shard = 0; shard < kShards; ++shard) {
      const TokenLayout part =
          transformer_.layout(input_.size(2), input_.size(3), input_.size(4), {shard * count, count});
      outputs.push_back(
          transformer_.forward_tokens(padded.narrow(0, shard * count, count), part, prepared_, 1,
                                      RecordedAttention(calls, static_cast<std::size_t>(shard), tokens.size(0))));
    }
    parts = at::cat(outputs).narrow(0, 0, tokens.size(0));
  }
  EXPECT_LE(relative_error(parts, whole), 1e-5);
}

TEST_P(TransformerOf, StepsOfOneTableAreThoseOfTheirOwn) {
  for (std::size_t step = 0; step < kTimesteps.size(); ++step) {
    const std::vector<float> alone{kTimesteps[step]};
    const Prepared own = transformer_.prepare(reference_.text(), alone, reference_.guidance());
    EXPECT_LE(relative_error(transformer_.forward(input_, layout(), prepared_, static_cast<int>(step)),
                             transformer_.forward(input_, layout(), own, 0)),
              1e-5);
  }
}

TEST_P(TransformerOf, TicksAfterEveryBlockAndStopsWhenTheTickThrows) {
  std::vector<int> ticks;
  transformer_.forward(input_, layout(), prepared_, 0, [&](int done, int total) {
    EXPECT_EQ(total, transformer_.num_blocks());
    ticks.push_back(done);
  });
  ASSERT_EQ(static_cast<int>(ticks.size()), transformer_.num_blocks());
  for (int i = 0; i < transformer_.num_blocks(); ++i) EXPECT_EQ(ticks[static_cast<std::size_t>(i)], i + 1);
  struct Cancelled {};
  EXPECT_THROW(transformer_.forward(input_, layout(), prepared_, 0, [](int, int) { throw Cancelled(); }), Cancelled);
}

TEST_P(TransformerOf, RefusesWhatDoesNotFit) {
  EXPECT_THAT([&] { transformer_.forward(input_.narrow(1, 0, 2), layout(), prepared_, 0); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("dit: input has shape")));
  EXPECT_THAT([&] { transformer_.forward(input_, layout(), prepared_, 2); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("step 2 of 2 prepared steps")));
  EXPECT_THAT([&] { transformer_.layout(3, 5, 6); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("3 x 5 x 6 (frames, height, width)")));
  TextCondition text = reference_.text();
  text.states = text.states.narrow(0, 0, 0);
  EXPECT_THAT([&] { transformer_.prepare(text, kTimesteps, reference_.guidance()); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("text condition has shape [0, 44]")));
  const std::optional<float> wrong = reference_.guidance().has_value() ? std::nullopt : std::optional(6.0F);
  EXPECT_THAT([&] { transformer_.prepare(reference_.text(), kTimesteps, wrong); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("guidance")));
}

INSTANTIATE_TEST_SUITE_P(Variants, TransformerOf, ::testing::Values("t2v", "concat_prefix", "replace_wide"),
                         [](const auto& param) { return std::string(param.param); });

TEST(TokenGrid, PatchesComeBackWhereTheyWere) {
  DitConfig config;
  config.in_channels = config.out_channels = 3;
  config.patch_size_t = 2;
  const at::Tensor latents = at::arange(3 * 4 * 6 * 10, at::kFloat).reshape({1, 3, 4, 6, 10});
  const at::Tensor tokens = patchify(config, latents);
  EXPECT_EQ(tokens.sizes(), (at::IntArrayRef{2 * 3 * 5, 24}));
  EXPECT_TRUE(at::equal(unpatchify(config, tokens, token_grid(config, 4, 6, 10)), latents));
  // Token (1, 2, 3), channel 2, inside it (1, 0, 1): frame 3, row 4, column 7.
  EXPECT_EQ(tokens[(1 * 3 + 2) * 5 + 3][((2 * 2 + 1) * 2 + 0) * 2 + 1].item<float>(),
            latents[0][2][3][4][7].item<float>());
}

TEST(Transformer, MissingTensorIsNamed) {
  const ReferenceCase reference("t2v");
  DitConfig config = reference.config();
  config.num_double_blocks += 1;
  const std::string folder = std::string(REELFARM_REFERENCE_DIR) + "/dit/t2v/transformer";
  const auto open = [&] { return nn::ParameterReader(weights::TensorSource::open(folder), {c10::kCPU, at::kFloat}); };
  EXPECT_THAT([&] { Transformer(open(), config); },
              ThrowsMessage<weights::WeightError>(HasSubstr("transformer_blocks.2.")));
  config.num_double_blocks -= 2;
  EXPECT_THAT([&] { Transformer(open(), config); },
              ThrowsMessage<weights::WeightError>(HasSubstr("transformer_blocks.1.")));
}

}  // namespace
}  // namespace reelfarm::dit::testing

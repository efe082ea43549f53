#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "pipeline/dit/config.hpp"
#include "pipeline/dit/double_block.hpp"
#include "pipeline/dit/joint_attention.hpp"
#include "pipeline/dit/modulation.hpp"
#include "pipeline/dit/single_block.hpp"
#include "pipeline/dit/token_refiner.hpp"
#include "pipeline/dit/tokens.hpp"
#include "pipeline/nn/layer_store.hpp"

namespace reelfarm::dit {

/// What the text encoders give for one prompt: valid tokens only, padding dropped. Any float type, any device.
struct TextCondition {
  at::Tensor states;  // (T, text_dim)
  at::Tensor pooled;  // (pooled_dim)
};

/// Everything that depends on prompt and noise levels but not on the latents, on the model's device in its type.
struct Prepared {
  std::vector<float> timesteps;
  at::Tensor text;             // (steps, T, width): the refiner's output
  ModulationTable modulation;  // of every block at every step
};

/// Called after each block with the blocks done and the blocks of a forward. On a GPU the work is then queued, not
/// done. May throw to abandon the forward.
using BlockCallback = std::function<void(int done, int total)>;

/// HunyuanVideo's diffusion transformer: predicts the velocity (noise - data) of video latents.
/// Source: arXiv 2412.03603 section 4.2; the arithmetic of diffusers' HunyuanVideoTransformer3DModel. Const members may
/// run in several threads at once.
class Transformer {
 public:
  /// Reads all parameters below the reader's scope and expects no others. The reader's quantisation is that of the
  /// blocks' products and, in forward(), of their attention; embedders, modulation, text refiner and output stay in the
  /// dtype, and so does all of it where the widths are no multiples of 16. On the CPU, weights stored in the reader's
  /// dtype are used where they lie in the mapped file. Throws weights::WeightError.
  ///
  /// Of the placement's resident layers the double blocks are the first. Forwards with streamed blocks come one after
  /// another.
  Transformer(const nn::ParameterReader& reader, const DitConfig& config);

  const DitConfig& config() const { return config_; }
  c10::Device device() const { return device_; }
  c10::ScalarType dtype() const { return dtype_; }
  bool quantised_attention() const { return quantised_attention_; }
  int num_blocks() const { return static_cast<int>(double_blocks_.size() + single_blocks_.size()); }

  /// The part of the work that all steps of a prompt share. timesteps: sigma * 1000 of each step. guidance: the
  /// embedded scale, exactly where the config has it. Throws std::invalid_argument for shapes that do not fit.
  Prepared prepare(const TextCondition& text, std::span<const float> timesteps, std::optional<float> guidance) const;

  /// Layout of whole (frames, height, width) latents, or of one rank's part of their tokens.
  TokenLayout layout(std::int64_t frames, std::int64_t height, std::int64_t width) const;
  TokenLayout layout(std::int64_t frames, std::int64_t height, std::int64_t width, const TokenShard& shard) const;

  /// One forward over a whole clip. latents: (1, in_channels, L, h, w), any float type -> (1, out_channels, L, h, w) in
  /// the model's type. `layout` is of the same size and whole.
  at::Tensor forward(const at::Tensor& latents, const TokenLayout& layout, const Prepared& prepared, int step,
                     const BlockCallback& on_block = {}) const;

  /// One forward over one rank's tokens. tokens: (shard.count, in_channels * patch), rows of patchify() by global index
  /// (padding: any finite values) -> (shard.count, out_channels * patch). Collective when `attention` is.
  at::Tensor forward_tokens(const at::Tensor& tokens, const TokenLayout& layout, const Prepared& prepared, int step,
                            const JointAttention& attention, const BlockCallback& on_block = {}) const;

 private:
  DitConfig config_;
  c10::Device device_;
  c10::ScalarType dtype_;
  at::Tensor patch_weight_;  // (width, in_channels * patch)
  at::Tensor patch_bias_;    // (width)
  TokenRefiner refiner_;
  ModulationWeights modulation_;
  nn::LayerStore<DoubleBlock> double_blocks_;
  nn::LayerStore<SingleBlock> single_blocks_;
  nn::Linear proj_out_;
  bool quantised_attention_;
};

}  // namespace reelfarm::dit

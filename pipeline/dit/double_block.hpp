#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "pipeline/dit/joint_attention.hpp"
#include "pipeline/dit/modulation.hpp"
#include "pipeline/dit/tokens.hpp"
#include "pipeline/dit/workspace.hpp"
#include "pipeline/quant/linear.hpp"

namespace reelfarm::dit {

/// A block in which image and text have weights of their own and meet in attention.
class DoubleBlock {
 public:
  /// `reader` is the block's scope. Its modulation weights belong to ModulationWeights.
  DoubleBlock(const nn::ParameterReader& reader, const DitConfig& config);

  /// x: (shard.count + text tokens, width), image first, updated in place.
  void forward(at::Tensor& x, const TokenLayout& layout, const ModulationTable& table, std::int64_t step,
               std::int64_t block, const JointAttention& attention, Workspace& workspace) const;

  /// For nn::LayerStore.
  std::vector<at::Tensor*> parameters();

 private:
  struct Stream {
    quant::Linear to_q, to_k, to_v, to_out;
    at::Tensor norm_q, norm_k;  // (head_dim)
    quant::Linear mlp_in, mlp_out;
  };
  /// The rows of x that a stream owns and what is particular to them.
  struct Part {
    const Stream& stream;
    std::int64_t begin;
    std::int64_t count;
    const nn::RotaryTable* rotary;
    TokenModulation attention, mlp;
    std::int64_t first_frame_tokens;
  };
  static Stream read_image(const nn::ParameterReader& reader, const DitConfig& config);
  static Stream read_text(const nn::ParameterReader& reader, const DitConfig& config);
  void project(const at::Tensor& x, const Part& part, Workspace& workspace) const;
  void finish(at::Tensor& x, const quant::Rows& attended, const Part& part, Workspace& workspace) const;

  Stream image_;
  Stream text_;
  nn::Quantisation rows_;  // of what the products take
};

}  // namespace reelfarm::dit

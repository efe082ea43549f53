#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "pipeline/dit/joint_attention.hpp"
#include "pipeline/dit/modulation.hpp"
#include "pipeline/dit/tokens.hpp"
#include "pipeline/dit/workspace.hpp"
#include "pipeline/quant/linear.hpp"

namespace reelfarm::dit {

/// A block with one set of weights for all tokens; attention and MLP run side by side from one norm.
class SingleBlock {
 public:
  /// `reader` is the block's scope. Its modulation weights belong to ModulationWeights.
  SingleBlock(const nn::ParameterReader& reader, const DitConfig& config);

  /// x: (shard.count + text tokens, width), image first, updated in place.
  void forward(at::Tensor& x, const TokenLayout& layout, const ModulationTable& table, std::int64_t step,
               std::int64_t block, const JointAttention& attention, Workspace& workspace) const;

  /// For nn::LayerStore.
  std::vector<at::Tensor*> parameters();

 private:
  quant::Linear to_q_, to_k_, to_v_;
  at::Tensor norm_q_, norm_k_;  // (head_dim)
  quant::Linear mlp_in_;
  quant::Linear out_;      // from [attention | MLP]
  nn::Quantisation rows_;  // of what the products take
};

}  // namespace reelfarm::dit

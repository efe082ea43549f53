#pragma once

#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "pipeline/dit/condition_embedder.hpp"
#include "pipeline/nn/norm.hpp"

namespace reelfarm::dit {

/// Brings the language model's hidden states to the transformer's width: self-attention blocks whose gates depend on
/// time and on the mean of the states.
class TokenRefiner {
 public:
  TokenRefiner(const nn::ParameterReader& reader, const DitConfig& config);

  /// states: (T, text_dim), valid tokens only -> (steps, T, width): all steps at once.
  at::Tensor operator()(const at::Tensor& states, std::span<const float> timesteps) const;

 private:
  struct Block {
    Block(const nn::ParameterReader& reader, std::int64_t width);
    nn::LayerNorm norm1, norm2;
    nn::Linear to_q, to_k, to_v, to_out;
    nn::Linear mlp_in, mlp_out;
    nn::Linear gates;
  };
  at::Tensor run(const Block& block, const at::Tensor& x, const at::Tensor& condition) const;

  TimeEmbedder time_;
  ConditionMlp pooled_;
  nn::Linear proj_in_;
  std::vector<Block> blocks_;
  std::int64_t num_heads_;
  at::TensorOptions options_;
};

}  // namespace reelfarm::dit

#pragma once

#include <cstdint>
#include <optional>

#include <ATen/core/Tensor.h>

#include "pipeline/nn/group_norm.hpp"
#include "pipeline/nn/linear.hpp"
#include "pipeline/vae/resnet_block.hpp"

namespace reelfarm::vae {

/// Single-head attention over all positions of a video in which a position sees its own frame and all before it.
class FrameCausalAttention {
 public:
  FrameCausalAttention(const nn::ParameterReader& reader, std::int64_t channels, std::int64_t norm_groups);

  /// x + attention(norm(x)). x: (N, C, T, H, W). One call per frame with the keys so far: no mask tensor, whose size
  /// would be (T H W)^2 (54.7 GiB in bf16 for 960x544 and 81 frames), and half the arithmetic of a masked call.
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  nn::GroupNorm norm_;
  nn::Linear query_;
  nn::Linear key_;
  nn::Linear value_;
  nn::Linear out_;
};

/// Resnet block, attention where the config has it, resnet block.
class MidBlock {
 public:
  MidBlock(const nn::ParameterReader& reader, std::int64_t channels, std::int64_t norm_groups, bool attention);

  at::Tensor operator()(const at::Tensor& x) const;

 private:
  ResnetBlock first_;
  std::optional<FrameCausalAttention> attention_;
  ResnetBlock second_;
};

}  // namespace reelfarm::vae

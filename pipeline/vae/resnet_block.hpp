#pragma once

#include <cstdint>
#include <optional>

#include <ATen/core/Tensor.h>

#include "pipeline/nn/conv3d.hpp"
#include "pipeline/nn/group_norm.hpp"
#include "pipeline/vae/causal_conv.hpp"

namespace reelfarm::vae {

/// x + conv(silu(norm(conv(silu(norm(x)))))), with a 1x1x1 shortcut where the channels change.
class ResnetBlock {
 public:
  ResnetBlock(const nn::ParameterReader& reader, std::int64_t in_channels, std::int64_t out_channels,
              std::int64_t norm_groups);

  /// x: (N, in, T, H, W) -> (N, out, T, H, W).
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  nn::GroupNorm norm1_;
  CausalConv3d conv1_;
  nn::GroupNorm norm2_;
  CausalConv3d conv2_;
  std::optional<nn::Conv3d> shortcut_;
  at::Tensor left_out_;  // of conv2_ and the shortcut together
};

}  // namespace reelfarm::vae

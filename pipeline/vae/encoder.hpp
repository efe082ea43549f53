#pragma once

#include <functional>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "pipeline/nn/group_norm.hpp"
#include "pipeline/vae/causal_conv.hpp"
#include "pipeline/vae/config.hpp"
#include "pipeline/vae/mid_block.hpp"
#include "pipeline/vae/resnet_block.hpp"

namespace reelfarm::vae {

/// Pixels to the moments of the latent distribution, for one tile.
class Encoder {
 public:
  Encoder(const nn::ParameterReader& reader, const VaeConfig& config);

  /// x: (N, 3, F, H, W) -> (N, 2 * latent_channels, L, H / s, W / s): mean, then log variance. Calls `on_block`, where
  /// given, steps() times.
  at::Tensor operator()(const at::Tensor& x, const std::function<void()>& on_block = {}) const;

  std::size_t steps() const { return blocks_.size() + 2; }

 private:
  struct Block {
    std::vector<ResnetBlock> resnets;
    std::optional<CausalConv3d> downsample;
  };

  CausalConv3d conv_in_;
  std::vector<Block> blocks_;
  MidBlock mid_;
  nn::GroupNorm norm_out_;
  CausalConv3d conv_out_;
};

}  // namespace reelfarm::vae

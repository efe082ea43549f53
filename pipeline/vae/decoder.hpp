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
#include "pipeline/vae/upsample.hpp"

namespace reelfarm::vae {

/// Latents to pixels, for one tile.
class Decoder {
 public:
  Decoder(const nn::ParameterReader& reader, const VaeConfig& config);

  /// z: (N, latent_channels, L, h, w) fp32 -> (N, 3, 4 (L - 1) + 1, s h, s w), about [-1, 1]. Calls `on_block`, where
  /// given, steps() times.
  at::Tensor operator()(const at::Tensor& z, const std::function<void()>& on_block = {}) const;

  std::size_t steps() const { return blocks_.size() + 2; }

 private:
  struct Block {
    std::vector<ResnetBlock> resnets;
    std::optional<UpsampleConv> upsample;
  };

  at::ScalarType dtype_;
  CausalConv3d conv_in_;  // fp32 whatever the dtype: it is small, and all that follows multiplies its rounding
  MidBlock mid_;
  std::vector<Block> blocks_;
  nn::GroupNorm norm_out_;
  CausalConv3d conv_out_;
};

}  // namespace reelfarm::vae

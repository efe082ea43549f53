#pragma once

#include <array>
#include <cstdint>

#include <ATen/core/Tensor.h>

#include "pipeline/nn/conv3d.hpp"

namespace reelfarm::nn {
class GroupNorm;
class ParameterReader;
}  // namespace reelfarm::nn

namespace reelfarm::vae {

/// 3x3x3 convolution that sees no later frame: replicate padding of two frames before the first and one pixel on each
/// side, output size = ceil(input / stride). Source: arXiv 2412.03603 section 4.1 (the causal VAE of HunyuanVideo).
class CausalConv3d {
 public:
  /// Reads "conv.weight" and "conv.bias" below the reader's scope.
  CausalConv3d(const nn::ParameterReader& reader, std::int64_t in_channels, std::int64_t out_channels,
               std::array<std::int64_t, 3> stride = {1, 1, 1});

  /// x: (N, in, T, H, W) -> (N, out, ceil(T / sT), ceil(H / sH), ceil(W / sW)).
  at::Tensor operator()(const at::Tensor& x) const;

  /// The convolution of silu(norm(x)), whose normalised input is written straight into the padded buffer.
  at::Tensor after_norm(const nn::GroupNorm& norm, const at::Tensor& x) const;

  /// The same of silu(norm(x + offset)), short of left_out(); see nn::Conv3d::before_bias and nn::GroupNorm::silu_into.
  at::Tensor after_norm_before_bias(const nn::GroupNorm& norm, const at::Tensor& x, const at::Tensor& offset) const;
  const at::Tensor& left_out() const { return conv_.left_out(); }

 private:
  nn::Conv3d conv_;
};

}  // namespace reelfarm::vae

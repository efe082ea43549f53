#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "pipeline/nn/conv3d.hpp"

namespace reelfarm::vae {

/// Nearest-neighbour upsampling followed by a causal 3x3x3 convolution, as one convolution on the small video.
///
/// A doubled pixel is read by two of the three taps of one axis, so their weights can be added beforehand: every output
/// phase is a convolution with two taps per doubled axis, and all phases are one convolution with as many times the
/// output channels. With three doubled axes it takes 8/27 of the arithmetic, and the upsampled video is never stored.
/// In time the first frame is not doubled: T frames become 2 T - 1.
class UpsampleConv {
 public:
  /// Reads "conv.conv.weight" and "conv.conv.bias" below the reader's scope.
  UpsampleConv(const nn::ParameterReader& reader, std::int64_t channels, bool time, bool space);

  /// x: (N, C, T, H, W) -> (N, C, 2 T - 1 or T, 2 H or H, 2 W or W).
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  static nn::Conv3d phases(const nn::ParameterReader& reader, std::int64_t channels, bool time, bool space);

  bool time_;
  bool space_;
  std::int64_t channels_;
  nn::Conv3d conv_;
};

}  // namespace reelfarm::vae

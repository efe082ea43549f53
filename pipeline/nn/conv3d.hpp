#pragma once

#include <array>
#include <cstdint>

#include <ATen/core/Tensor.h>

namespace reelfarm::nn {

class ParameterReader;

/// 3D convolution without padding over (N, C, T, H, W), channels last in memory: several times as fast as the default
/// order on CPUs with AMX, and faster on GPUs (bench/models/bench_vae).
class Conv3d {
 public:
  struct Shape {
    std::int64_t in_channels;
    std::int64_t out_channels;
    std::array<std::int64_t, 3> kernel = {3, 3, 3};
    std::array<std::int64_t, 3> stride = {1, 1, 1};
  };

  /// Reads "weight" (out, in, kT, kH, kW) and "bias" (out) below the reader's scope.
  Conv3d(const ParameterReader& reader, const Shape& shape);
  /// The same from tensors made elsewhere.
  Conv3d(const at::Tensor& weight, at::Tensor bias, std::array<std::int64_t, 3> stride = {1, 1, 1});

  /// x: (N, in, T, H, W) -> (N, out, (T - kT) / sT + 1, ...), channels last in memory.
  at::Tensor operator()(const at::Tensor& x) const;

  /// operator() short of left_out(), for callers that add that in fp32 to what comes next. LibTorch's 16-bit
  /// convolution on a GPU rounds the sum, then adds the bias and rounds again, which makes a decoded video's error a
  /// quarter larger.
  at::Tensor before_bias(const at::Tensor& x) const;
  /// The bias that before_bias does not add: fp32 (1, out, 1, 1, 1), or undefined where it adds it.
  const at::Tensor& left_out() const { return left_out_; }

  const at::Tensor& weight() const { return weight_; }
  const at::Tensor& bias() const { return bias_; }

 private:
  at::Tensor convolve(const at::Tensor& x, const at::Tensor& bias) const;

  at::Tensor weight_;
  at::Tensor bias_;
  at::Tensor left_out_;
  std::array<std::int64_t, 3> stride_;
};

}  // namespace reelfarm::nn

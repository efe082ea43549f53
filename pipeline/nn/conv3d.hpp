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

  const at::Tensor& weight() const { return weight_; }
  const at::Tensor& bias() const { return bias_; }

 private:
  at::Tensor weight_;
  at::Tensor bias_;
  std::array<std::int64_t, 3> stride_;
};

}  // namespace reelfarm::nn

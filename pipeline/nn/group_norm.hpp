#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace reelfarm::nn {

class ParameterReader;

/// Group norm over (N, C, T, H, W) with learnt "weight" and "bias" (C), which are kept in fp32 whatever the compute
/// type. Source: arXiv 1803.08494.
class GroupNorm {
 public:
  /// Throws std::invalid_argument when `groups` does not divide `channels`.
  GroupNorm(const ParameterReader& reader, std::int64_t groups, std::int64_t channels, double eps);

  /// x: (N, C, T, H, W) -> same shape and type.
  at::Tensor operator()(const at::Tensor& x) const;

  /// out = silu(norm(x)), x and out: (N, C, T, H, W). `out` may be a view into a larger buffer, such as the inside of a
  /// padded one. On the CPU in fp32 and bf16, with channels last in both, two passes over memory and the same bits for
  /// any number of threads.
  /// With `offset`, fp32 (1, C, 1, 1, 1), it is silu(norm(x + offset)), and the sum is never rounded.
  void silu_into(const at::Tensor& x, const at::Tensor& out, const at::Tensor& offset = {}) const;

  /// The same into the inside of `padded`, (N, C, time + T, H + 2 space, W + 2 space), with replicated borders, in
  /// three kernels of the CUDA plug-in. False, and nothing done, where it is not loaded or does not take these tensors.
  bool silu_into_padded(const at::Tensor& x, const at::Tensor& padded, std::int64_t time, std::int64_t space,
                        const at::Tensor& offset) const;

 private:
  struct Affine {
    at::Tensor scale;
    at::Tensor shift;
  };
  Affine affine(const at::Tensor& x, const at::Tensor& offset) const;

  at::Tensor weight_;
  at::Tensor bias_;
  std::int64_t groups_;
  double eps_;
};

}  // namespace reelfarm::nn

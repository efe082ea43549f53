#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace reelfarm::nn {

class ParameterReader;

/// Layer norm over the last dimension, without learnt scale and shift. x: (..., features).
at::Tensor layer_norm(const at::Tensor& x, double eps);

/// The same, then times `scale`, plus `shift` (features), both in the type of x: rounded once. One kernel of the CUDA
/// plug-in where it is loaded. x: (rows, features).
at::Tensor modulated_layer_norm(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift, double eps);

/// The same into `out` (rows, features) e4m3 or int8, each row divided by its largest magnitude / 448 or / 127, which
/// goes to `row_scales` (rows, 1) fp32. False, and nothing done, where the CUDA plug-in does not take it.
bool modulated_layer_norm_8_bits(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift, double eps,
                                 const at::Tensor& out, const at::Tensor& row_scales);

/// Layer norm over the last dimension with learnt "weight" and "bias" (features).
class LayerNorm {
 public:
  LayerNorm(const ParameterReader& reader, std::int64_t features, double eps);
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  at::Tensor weight_;
  at::Tensor bias_;
  double eps_;
};

/// Root-mean-square norm over the last dimension with learnt "weight" (features). The mean square is taken in fp32
/// whatever the type of x and rounded to that type before it meets the weight, as in Llama and diffusers. Source: arXiv
/// 1910.07467.
class RmsNorm {
 public:
  RmsNorm(const ParameterReader& reader, std::int64_t features, double eps);
  at::Tensor operator()(const at::Tensor& x) const;

  /// For LayerStore.
  std::vector<at::Tensor*> parameters() { return {&weight_}; }

 private:
  at::Tensor weight_;
  double eps_;
};

}  // namespace reelfarm::nn

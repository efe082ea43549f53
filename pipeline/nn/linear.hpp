#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace reelfarm::nn {

class ParameterReader;

/// y = x W^T + b over the last dimension. weight: (out_features, in_features), bias: (out_features).
class Linear {
 public:
  /// Reads "weight" and, when `bias`, "bias" below the reader's scope.
  Linear(const ParameterReader& reader, std::int64_t in_features, std::int64_t out_features, bool bias = true);

  /// x: (..., in_features) in the reader's dtype -> (..., out_features).
  at::Tensor operator()(const at::Tensor& x) const;
  /// The same into memory that is there: x (rows, in_features), out (rows, out_features), whose rows may be strided.
  void into(at::Tensor out, const at::Tensor& x) const;

  /// For LayerStore; without a bias only the weight.
  std::vector<at::Tensor*> parameters();

  const at::Tensor& weight() const { return weight_; }
  const at::Tensor& bias() const { return bias_; }

 private:
  at::Tensor weight_;
  at::Tensor bias_;
};

}  // namespace reelfarm::nn

#pragma once

#include <ATen/core/Tensor.h>

namespace reelfarm::parallel {

/// The result of attention over some of the keys, and what is needed to merge it with that over others.
struct SoftmaxPart {
  at::Tensor out;  ///< (S, heads, D), any float type; fp32 once merged
  at::Tensor lse;  ///< (S, heads) fp32: logarithm of the sum of the keys' exponentials; -inf: no keys

  /// Attention over no keys at all: the neutral element of merge.
  static SoftmaxPart none(const at::Tensor& q);
};

/// The result over the keys of both, in fp32. At least one of the two has keys.
SoftmaxPart merge(const SoftmaxPart& a, const SoftmaxPart& b);

}  // namespace reelfarm::parallel

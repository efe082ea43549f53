#pragma once

#include <ATen/core/Tensor.h>

namespace reelfarm::nn {

/// Angles of a rotary position embedding: cosine and sine, (tokens, head_dim / 2) fp32 each.
struct RotaryTable {
  at::Tensor cos;
  at::Tensor sin;
};

/// Per-head root-mean-square norm with learnt weight, then, when `rotary` is given, rotation of the neighbouring pairs
/// (x0, x1) -> (x0 cos - x1 sin, x1 cos + x0 sin). In place. x: (tokens, heads, head_dim), whose last two dimensions
/// are dense; weight: (head_dim) in the type of x. All arithmetic is fp32, rounded once to the type of x.
/// Sources: arXiv 1910.07467 (norm), arXiv 2104.09864 section 3.2 (rotation).
void rms_norm_rotate_(at::Tensor x, const at::Tensor& weight, double eps, const RotaryTable* rotary);

}  // namespace reelfarm::nn

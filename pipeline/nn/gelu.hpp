#pragma once

#include <ATen/core/Tensor.h>

namespace reelfarm::nn {

/// x / (1 + exp(-2 sqrt(2 / pi) (x + 0.044715 x^3))): GELU in its tanh form, in place. x: (rows, columns), whose rows
/// may be strided. Source: arXiv 1606.08415 section 2.
void gelu_tanh_(at::Tensor x);

}  // namespace reelfarm::nn

#pragma once

#include <ATen/core/Tensor.h>

namespace reelfarm::nn {

/// y += x, same shape and type. For dense bf16 tensors on the CPU in a third of the time of ATen's.
void add_(const at::Tensor& y, const at::Tensor& x);

}  // namespace reelfarm::nn

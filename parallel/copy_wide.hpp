#pragma once

#include <ATen/core/Tensor.h>

namespace reelfarm::parallel {

/// to.copy_(from). LibTorch copies strided tensors element by element: in 16 bytes at a time, which is done where the
/// layouts allow it, a GPU moves 16-bit elements several times as fast.
void copy_wide(const at::Tensor& to, const at::Tensor& from);

}  // namespace reelfarm::parallel

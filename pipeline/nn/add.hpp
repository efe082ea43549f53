#pragma once

#include <ATen/core/Tensor.h>

namespace reelfarm::nn {

/// y += x, same shape and type. For dense bf16 tensors on the CPU in a third of the time of ATen's.
void add_(const at::Tensor& y, const at::Tensor& x);

/// x += y * gate, rounded once. x, y: (rows, features), dense, of one type; gate: (features). One kernel of the CUDA
/// plug-in where it is loaded.
void add_gated_(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate);

/// y += x + bias in fp32 with one rounding. y, x: (N, C, T, H, W); bias: fp32 (1, C, 1, 1, 1), or undefined for none.
void add_(const at::Tensor& y, const at::Tensor& x, const at::Tensor& bias);

}  // namespace reelfarm::nn

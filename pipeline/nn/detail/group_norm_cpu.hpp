#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace reelfarm::nn::detail {

/// Whether group_norm_silu takes these tensors: on the CPU, fp32 or bf16, x channels-last and dense, out with its
/// channels next to each other.
bool group_norm_silu_fits(const at::Tensor& x, const at::Tensor& out);

/// out = silu(group_norm(x)). x, out: (N, C, T, H, W); weight, bias: (C) fp32.
void group_norm_silu(const at::Tensor& x, const at::Tensor& out, const at::Tensor& weight, const at::Tensor& bias,
                     std::int64_t groups, double eps);

}  // namespace reelfarm::nn::detail

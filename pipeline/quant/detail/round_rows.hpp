#pragma once

#include <ATen/ATen.h>

#include "pipeline/quant/rows.hpp"

namespace reelfarm::quant::detail {

/// The largest magnitudes of e4m3, and of the integers that are used.
constexpr double kLargestE4m3 = 448.0;
constexpr double kLargestInt8 = 127.0;

/// What values of this largest magnitude are divided by, so that it becomes `limit`. Zeros keep a scale of 1; what has
/// a NaN has that of NaN, since integers cannot show it.
inline at::Tensor row_scale(const at::Tensor& largest, double limit) {
  return at::where(largest == 0, at::ones_like(largest), largest / limit);
}

/// quantise() in LibTorch's operators: divided in fp32 and rounded to nearest even.
inline Rows round_rows(const at::Tensor& x, nn::Quantisation quantisation) {
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor largest = wide.abs().amax({-1}, /*keepdim=*/true);
  if (quantisation == nn::Quantisation::fp8) {
    const at::Tensor scales = row_scale(largest, kLargestE4m3);
    return {(wide / scales).to(at::kFloat8_e4m3fn), scales};
  }
  const at::Tensor scales = row_scale(largest, kLargestInt8);
  return {(wide / scales).round_().clamp_(-kLargestInt8, kLargestInt8).to(at::kChar), scales};
}

}  // namespace reelfarm::quant::detail

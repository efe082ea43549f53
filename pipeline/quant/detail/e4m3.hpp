#pragma once

#include <ATen/ATen.h>

namespace reelfarm::quant::detail {

/// The largest magnitude of e4m3.
constexpr double kLargestE4m3 = 448.0;

/// What values of this largest magnitude are divided by: it becomes 448. Zeros keep a scale of 1.
inline at::Tensor e4m3_scale(const at::Tensor& largest) {
  return at::where(largest > 0, largest / kLargestE4m3, at::ones_like(largest));
}

}  // namespace reelfarm::quant::detail

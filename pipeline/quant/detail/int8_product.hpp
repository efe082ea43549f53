#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "pipeline/quant/rows.hpp"

namespace reelfarm::quant::detail {

/// Rows whose 32-bit sums are in memory at once on a GPU: enough to fill it, and no more than a tenth of a gigabyte for
/// each 6,000 outputs.
constexpr std::int64_t kRowsOfSums = 4096;

/// out = x W^T + bias with x: (rows, in) and `weight`: (features, in) in int8, bias: (features), out: (rows, features),
/// dense. Sums are exact in 32 bits, for `in` up to 133,000; scales and bias are applied in fp32, and `out` is rounded
/// once. The bits do not depend on how many rows there are. On a GPU `in` and `features` are multiples of 8.
void int8_product(const at::Tensor& out, const Rows& x, const Rows& weight, const at::Tensor& bias);

}  // namespace reelfarm::quant::detail

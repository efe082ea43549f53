#pragma once

#include <cstdint>

namespace reelfarm::nn::detail {

/// GELU (tanh form) of one row in place; bfloat16 values by their bits.
void gelu_row(float* row, std::int64_t columns);
void gelu_row(std::uint16_t* row, std::int64_t columns);

}  // namespace reelfarm::nn::detail

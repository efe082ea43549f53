#pragma once

#include <cstdint>

namespace reelfarm::nn::detail {

/// sum[i] += term[i] for bfloat16 given by their bits.
void add_row(std::uint16_t* sum, const std::uint16_t* term, std::int64_t count);

}  // namespace reelfarm::nn::detail

#pragma once

#include <cstdint>

namespace reelfarm::nn::detail {

// Inner loops over channels-last rows; a bfloat16 comes as its bits. `count` values are runs of voxels x channels,
// tables have the length of one `period`, a multiple of the channels.

/// sum[i] += x - pivot[i], square[i] += (x - pivot[i])^2 with i the position in the period.
void accumulate_moments(const float* x, std::int64_t count, const float* pivot, float* sum, float* square,
                        std::int64_t period);
void accumulate_moments(const std::uint16_t* x, std::int64_t count, const float* pivot, float* sum, float* square,
                        std::int64_t period);

/// out = silu(x * scale[i] + shift[i]).
void scale_shift_silu(const float* x, float* out, std::int64_t count, const float* scale, const float* shift,
                      std::int64_t period);
void scale_shift_silu(const std::uint16_t* x, std::uint16_t* out, std::int64_t count, const float* scale,
                      const float* shift, std::int64_t period);

}  // namespace reelfarm::nn::detail

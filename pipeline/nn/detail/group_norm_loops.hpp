#pragma once

#include <cstdint>

namespace reelfarm::nn::detail {

/// Inner loops over channels-last rows, compiled for several instruction sets and chosen when the program starts. All
/// pointers speak of flat runs of voxels x channels; tables have the length of one period (a multiple of the channels).
template <typename T>
struct GroupNormLoops {
  /// sum[i] += x - pivot[i], square[i] += (x - pivot[i])^2 with i the position in the period, over `count` values.
  void (*accumulate)(const T* x, std::int64_t count, const float* pivot, float* sum, float* square,
                     std::int64_t period);
  /// out = silu(x * scale[i] + shift[i]) over `count` values.
  void (*apply)(const T* x, T* out, std::int64_t count, const float* scale, const float* shift, std::int64_t period);
};

/// The loops for this processor. T is float, or std::uint16_t for the bits of a bfloat16.
template <typename T>
const GroupNormLoops<T>& group_norm_loops();

}  // namespace reelfarm::nn::detail

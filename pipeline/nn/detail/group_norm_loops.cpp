#include "pipeline/nn/detail/group_norm_loops.hpp"

#include <algorithm>

#include "pipeline/nn/detail/vector_math.hpp"

namespace reelfarm::nn::detail {
namespace {

template <typename T>
REELFARM_INLINE void accumulate_body(const T* __restrict x, std::int64_t count, const float* __restrict pivot,
                                     float* __restrict sum, float* __restrict square, std::int64_t period) {
  for (std::int64_t begin = 0; begin < count; begin += period) {
    const std::int64_t n = std::min(period, count - begin);
    const T* __restrict row = x + begin;
    for (std::int64_t i = 0; i < n; ++i) {
      const float d = widen(row[i]) - pivot[i];
      sum[i] += d;
      square[i] += d * d;
    }
  }
}

template <typename T>
REELFARM_INLINE void silu_body(const T* __restrict x, T* __restrict out, std::int64_t count,
                               const float* __restrict scale, const float* __restrict shift, std::int64_t period) {
  for (std::int64_t begin = 0; begin < count; begin += period) {
    const std::int64_t n = std::min(period, count - begin);
    const T* __restrict from = x + begin;
    T* __restrict to = out + begin;
    for (std::int64_t i = 0; i < n; ++i) {
      const float y = widen(from[i]) * scale[i] + shift[i];
      store(y / (1.0F + exponential(-y)), to + i);
    }
  }
}

}  // namespace

REELFARM_CPU_CLONES
void accumulate_moments(const float* x, std::int64_t count, const float* pivot, float* sum, float* square,
                        std::int64_t period) {
  accumulate_body(x, count, pivot, sum, square, period);
}

REELFARM_CPU_CLONES
void accumulate_moments(const std::uint16_t* x, std::int64_t count, const float* pivot, float* sum, float* square,
                        std::int64_t period) {
  accumulate_body(x, count, pivot, sum, square, period);
}

REELFARM_CPU_CLONES
void scale_shift_silu(const float* x, float* out, std::int64_t count, const float* scale, const float* shift,
                      std::int64_t period) {
  silu_body(x, out, count, scale, shift, period);
}

REELFARM_CPU_CLONES
void scale_shift_silu(const std::uint16_t* x, std::uint16_t* out, std::int64_t count, const float* scale,
                      const float* shift, std::int64_t period) {
  silu_body(x, out, count, scale, shift, period);
}

}  // namespace reelfarm::nn::detail

#include "pipeline/nn/detail/norm_rotate_rows.hpp"

#include <cmath>

#include "pipeline/nn/detail/vector_math.hpp"

namespace reelfarm::nn::detail {
namespace {

constexpr std::int64_t kLanes = 16;

/// Sixteen partial sums, so that the sum vectorises and its order is the same on every processor.
REELFARM_INLINE float sum_of_squares(const float* x, std::int64_t n) {
  float partial[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) partial[lane] += x[i + lane] * x[i + lane];
  }
  for (std::int64_t lane = 0; i < n; ++i, ++lane) partial[lane] += x[i] * x[i];
  float sum = 0;
  for (const float value : partial) sum += value;
  return sum;
}

REELFARM_INLINE void norm_rotate_head(float* __restrict x, std::int64_t n, const float* __restrict weight, float eps,
                                      const float* __restrict cos, const float* __restrict sin) {
  const float scale = 1.0F / std::sqrt(sum_of_squares(x, n) / static_cast<float>(n) + eps);
  for (std::int64_t i = 0; i < n; ++i) x[i] *= scale * weight[i];
  if (cos == nullptr) return;
  for (std::int64_t pair = 0; 2 * pair + 1 < n; ++pair) {
    const float x0 = x[2 * pair];
    const float x1 = x[2 * pair + 1];
    x[2 * pair] = x0 * cos[pair] - x1 * sin[pair];
    x[2 * pair + 1] = x1 * cos[pair] + x0 * sin[pair];
  }
}

}  // namespace

REELFARM_CPU_CLONES
void norm_rotate_row(Fp32Values row, std::int64_t heads, std::int64_t head_dim, const float* weight, float eps,
                     const float* cos, const float* sin) {
  for (std::int64_t head = 0; head < heads; ++head) {
    norm_rotate_head(row.values + head * head_dim, head_dim, weight, eps, cos, sin);
  }
}

REELFARM_CPU_CLONES
void norm_rotate_row(Bf16Bits row, std::int64_t heads, std::int64_t head_dim, const float* weight, float eps,
                     const float* cos, const float* sin) {
  float wide[kMaxHeadDim];
  for (std::int64_t head = 0; head < heads; ++head) {
    std::uint16_t* bits = row.bits + head * head_dim;
    for (std::int64_t i = 0; i < head_dim; ++i) wide[i] = widen(bits[i]);
    norm_rotate_head(wide, head_dim, weight, eps, cos, sin);
    for (std::int64_t i = 0; i < head_dim; ++i) store(wide[i], bits + i);
  }
}

}  // namespace reelfarm::nn::detail

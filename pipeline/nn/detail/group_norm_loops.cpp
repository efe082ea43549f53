#include "pipeline/nn/detail/group_norm_loops.hpp"

#include <algorithm>
#include <bit>

// Plain loops that the compiler vectorises. Every instruction set gets its own copy through a thin function with a
// target attribute, into which the bodies below are inlined.
#define REELFARM_INLINE inline __attribute__((always_inline))

namespace reelfarm::nn::detail {
namespace {

REELFARM_INLINE float widen(float x) {
  return x;
}

REELFARM_INLINE float widen(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

REELFARM_INLINE void store(float x, float* out) {
  *out = x;
}

// Round to nearest, ties to even; a NaN stays a NaN.
REELFARM_INLINE void store(float x, std::uint16_t* out) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
  *out = static_cast<std::uint16_t>((bits & 0x7fffffffU) > 0x7f800000U ? 0x7fc0U : rounded);
}

// e^x to 2 units in the last place for x in [-87, 88], clamped outside: 2^n times a polynomial on [-ln2/2, ln2/2].
// Coefficients: Cephes expf (S. Moshier).
REELFARM_INLINE float exponential(float x) {
  x = x < -87.0F ? -87.0F : x;
  x = x > 88.0F ? 88.0F : x;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer
  const float shifted = x * 1.44269504F + kRound;
  const float n = shifted - kRound;
  float r = x - n * 0.693359375F;
  r -= n * -2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  const std::int32_t power = (std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(kRound) + 127) << 23;
  return p * std::bit_cast<float>(power);
}

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
REELFARM_INLINE void apply_body(const T* __restrict x, T* __restrict out, std::int64_t count,
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

#define REELFARM_LOOPS(NAME, TARGET)                                                                           \
  template <typename T>                                                                                        \
  TARGET void accumulate_##NAME(const T* x, std::int64_t count, const float* pivot, float* sum, float* square, \
                                std::int64_t period) {                                                         \
    accumulate_body(x, count, pivot, sum, square, period);                                                     \
  }                                                                                                            \
  template <typename T>                                                                                        \
  TARGET void apply_##NAME(const T* x, T* out, std::int64_t count, const float* scale, const float* shift,     \
                           std::int64_t period) {                                                              \
    apply_body(x, out, count, scale, shift, period);                                                           \
  }

REELFARM_LOOPS(portable, )
#if defined(__x86_64__)
REELFARM_LOOPS(avx2, __attribute__((target("avx2,fma"))))
REELFARM_LOOPS(avx512, __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma"))))
#endif
#undef REELFARM_LOOPS

template <typename T>
GroupNormLoops<T> choose() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq")) {
    return {accumulate_avx512<T>, apply_avx512<T>};
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {accumulate_avx2<T>, apply_avx2<T>};
#endif
  return {accumulate_portable<T>, apply_portable<T>};
}

}  // namespace

template <typename T>
const GroupNormLoops<T>& group_norm_loops() {
  static const GroupNormLoops<T> loops = choose<T>();
  return loops;
}

template const GroupNormLoops<float>& group_norm_loops<float>();
template const GroupNormLoops<std::uint16_t>& group_norm_loops<std::uint16_t>();

}  // namespace reelfarm::nn::detail

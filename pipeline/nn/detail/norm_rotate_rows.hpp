#pragma once

#include <cstdint>

#include <c10/util/BFloat16.h>

namespace reelfarm::nn::detail {

constexpr std::int64_t kMaxHeadDim = 512;

/// The 16 bits of a bfloat16: plain integers, which the compiler vectorises.
struct Bf16Bits {
  std::uint16_t* bits;
};
struct Fp32Values {
  float* values;
};

inline Fp32Values storage(float* data) {
  return {data};
}
inline Bf16Bits storage(at::BFloat16* data) {
  return {reinterpret_cast<std::uint16_t*>(data)};
}

/// The heads of one token, in place; cos and sin are (head_dim / 2) or null. One machine-code version per processor
/// generation is chosen at load.
void norm_rotate_row(Fp32Values row, std::int64_t heads, std::int64_t head_dim, const float* weight, float eps,
                     const float* cos, const float* sin);
void norm_rotate_row(Bf16Bits row, std::int64_t heads, std::int64_t head_dim, const float* weight, float eps,
                     const float* cos, const float* sin);

}  // namespace reelfarm::nn::detail

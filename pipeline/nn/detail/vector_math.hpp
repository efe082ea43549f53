#pragma once

#include <bit>
#include <cstdint>

#include "pipeline/weights/cpu_clones.hpp"

namespace reelfarm::nn::detail {

REELFARM_INLINE float widen(float value) {
  return value;
}

/// A bfloat16 by its bits.
REELFARM_INLINE float widen(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

REELFARM_INLINE void store(float value, float* out) {
  *out = value;
}

/// Rounds to nearest even. A NaN stays one: those of bf16 inputs and of the processor have a zero low half.
REELFARM_INLINE void store(float value, std::uint16_t* out) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  *out = static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

/// e^x to 2 units in the last place on [-87, 88], clamped outside: a power of two times a polynomial on
/// [-ln 2 / 2, ln 2 / 2], whose coefficients are those of Cephes' expf (S. Moshier). A NaN stays one.
REELFARM_INLINE float exponential(float x) {
  x = x < -87.0F ? -87.0F : x;
  x = x > 88.0F ? 88.0F : x;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer
  const float shifted = x * 1.44269504F + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
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

}  // namespace reelfarm::nn::detail

#pragma once

#include <bit>
#include <cstdint>

namespace reelfarm::weights::detail {

/// The value of an IEEE half.
inline float from_f16(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000U) << 16, exponent = (bits >> 10) & 0x1FU, fraction = bits & 0x3FFU;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000U | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
  return sign != 0 ? -magnitude : magnitude;
}

/// The value of an e4m3 number in its "fn" form: no infinity, one NaN a sign (arXiv 2209.05433).
inline float from_f8_e4m3(std::uint8_t bits) {
  const std::uint32_t sign = (bits & 0x80U) << 24, exponent = (bits >> 3) & 0xFU, fraction = bits & 0x7U;
  if ((bits & 0x7F) == 0x7F) return std::bit_cast<float>(sign | 0x7FC00000U);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 120) << 23 | fraction << 20);
  const float magnitude = static_cast<float>(fraction) * 0x1p-9F;
  return sign != 0 ? -magnitude : magnitude;
}

/// The value of an e5m2 number, which is the upper half of a half.
inline float from_f8_e5m2(std::uint8_t bits) {
  return from_f16(static_cast<std::uint16_t>(bits << 8));
}

inline float from_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

/// To nearest, ties to even. NaN stays NaN.
inline std::uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<std::uint16_t>(bits >> 16 | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16);
}

/// To nearest, ties to even, and to 448 at most: e4m3 has no infinity. NaN stays NaN.
inline std::uint8_t to_f8_e4m3(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 24 & 0x80U, magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return static_cast<std::uint8_t>(sign | 0x7FU);
  if (magnitude >= 0x43E00000U) return static_cast<std::uint8_t>(sign | 0x7EU);  // 448
  if (magnitude < 0x3C800000U) {  // below 2^-6: multiples of 2^-9, which a sum without room for less rounds to
    const float rounded = (std::bit_cast<float>(magnitude) + 0x1p14F) - 0x1p14F;
    return static_cast<std::uint8_t>(sign | static_cast<std::uint32_t>(rounded * 0x1p9F));
  }
  const std::uint32_t nearest = (magnitude + 0x7FFFFU + (magnitude >> 20 & 1U)) >> 20;
  return static_cast<std::uint8_t>(sign | (nearest - (120U << 3)));
}

}  // namespace reelfarm::weights::detail

#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace reelfarm::text_encoders::detail {

/// Bicubic (a = -0.5), antialiased resize of 8-bit RGB rows, equal to that of Pillow up to 12 to the bit: weights in
/// fixed point with 22 fractional bits, first along x, then along y, rounded and clamped to 8 bits after each; a side
/// that keeps its length is not filtered. pixels: height * width * 3 bytes -> new_height * new_width * 3 bytes. Source:
/// Pillow, src/libImaging/Resample.c (algorithm).
std::vector<std::uint8_t> pillow_resize(std::span<const std::uint8_t> pixels, std::int64_t height, std::int64_t width,
                                        std::int64_t new_height, std::int64_t new_width);

}  // namespace reelfarm::text_encoders::detail

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace reelfarm::stitcher {

inline constexpr std::size_t kDitherSide = 8;
using DitherRow = std::array<float, kDitherSide>;

/// What is added before a level is cut to an integer: an ordered matrix (Bayer 1973) of 64 different numbers in (0, 1).
///
/// A cross-fade of two pictures that are one level apart is the same picture for half its length and the other one from
/// then on, when every level is rounded to the nearest: a whole background jumps at once. Rounded by a number of its
/// own each pixel changes over at its own time, and as many in one frame as in the next. The numbers do not change with
/// time, so nothing flickers, and whole levels stay as they are.
constexpr std::array<DitherRow, kDitherSide> dither_matrix() {
  std::array<DitherRow, kDitherSide> matrix{};
  constexpr auto kCells = static_cast<float>(kDitherSide * kDitherSide);
  constexpr float kHalf = 0.5f;
  for (std::size_t y = 0; y < kDitherSide; ++y) {
    for (std::size_t x = 0; x < kDitherSide; ++x) {
      std::size_t rank = 0;
      for (std::size_t bit = 1; bit < kDitherSide; bit *= 2) {
        rank = 4 * rank + 2 * std::size_t{((x ^ y) & bit) != 0} + std::size_t{(y & bit) != 0};
      }
      matrix[y][x] = (static_cast<float>(rank) + kHalf) / kCells;
    }
  }
  return matrix;
}

inline constexpr std::array<DitherRow, kDitherSide> kDither = dither_matrix();

/// The thresholds of row `y` of a frame; pixel x takes number x % kDitherSide.
inline const DitherRow& dither_row(int y) {
  return kDither[static_cast<std::size_t>(y) % kDitherSide];
}

/// `level` in [0, 255] to one of its two neighbouring integers; a whole level to itself.
inline std::uint8_t dithered(float level, float threshold) {
  return static_cast<std::uint8_t>(level + threshold);
}

}  // namespace reelfarm::stitcher

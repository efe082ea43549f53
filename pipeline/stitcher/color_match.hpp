#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "pipeline/video/image.hpp"

namespace reelfarm::stitcher {

/// Colour correction of a window, per channel on values in [0, 1]: corrected = gain * value + offset.
struct ColorMatch {
  std::array<double, 3> gain{1, 1, 1};
  std::array<double, 3> offset{0, 0, 0};

  bool identity() const;
};

inline constexpr double kLargestGain = 1.1;
inline constexpr double kSmallestGain = 0.9;
inline constexpr double kLargestOffset = 0.05;
inline constexpr double kGainTolerance = 0.005;
inline constexpr double kOffsetTolerance = 0.002;

/// The correction that gives `later` the mean and deviation of `earlier`, two decodes of the same frames; clamped, and
/// exactly the identity in a channel where it is within the tolerances.
ColorMatch match_color(std::span<const video::Image> earlier, std::span<const video::Image> later);

/// A correction applied with a strength in [0, 1]: value + strength * (corrected - value), clamped to [0, 255].
struct ColorTable {
  std::array<std::array<float, 256>, 3> value;

  ColorTable(const ColorMatch& match, double strength);
};

/// In place, rounded once by its place in the frame (dither.hpp).
void apply(const ColorTable& table, video::Image& frame);

}  // namespace reelfarm::stitcher

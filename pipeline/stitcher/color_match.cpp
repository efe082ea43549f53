#include "pipeline/stitcher/color_match.hpp"

#include <algorithm>
#include <cmath>

#include "pipeline/stitcher/dither.hpp"

namespace reelfarm::stitcher {
namespace {

struct Moments {
  double mean = 0;
  double deviation = 0;
};

// Integer sums: exact, so the order of pixels and frames does not matter.
std::array<Moments, 3> moments_of(std::span<const video::Image> frames) {
  std::array<std::uint64_t, 3> sum{};
  std::array<std::uint64_t, 3> squares{};
  std::uint64_t count = 0;
  for (const video::Image& frame : frames) {
    for (std::size_t i = 0; i < frame.rgb.size(); i += 3) {
      for (std::size_t c = 0; c < 3; ++c) {
        const std::uint64_t value = frame.rgb[i + c];
        sum[c] += value;
        squares[c] += value * value;
      }
    }
    count += frame.rgb.size() / 3;
  }
  std::array<Moments, 3> moments;
  for (std::size_t c = 0; c < 3; ++c) {
    const double n = static_cast<double>(count);
    const double mean = static_cast<double>(sum[c]) / n;
    const double variance = static_cast<double>(squares[c]) / n - mean * mean;
    moments[c] = {mean / 255, std::sqrt(std::max(0.0, variance)) / 255};
  }
  return moments;
}

}  // namespace

bool ColorMatch::identity() const {
  return gain == std::array<double, 3>{1, 1, 1} && offset == std::array<double, 3>{0, 0, 0};
}

ColorMatch match_color(std::span<const video::Image> earlier, std::span<const video::Image> later) {
  constexpr double kFlat = 1.0 / 255;  // Below one level the quotient of deviations is noise.
  const auto a = moments_of(earlier);
  const auto b = moments_of(later);
  ColorMatch match;
  for (std::size_t c = 0; c < 3; ++c) {
    const double quotient = b[c].deviation < kFlat ? 1 : a[c].deviation / b[c].deviation;
    const double gain = std::clamp(quotient, kSmallestGain, kLargestGain);
    const double offset = std::clamp(a[c].mean - gain * b[c].mean, -kLargestOffset, kLargestOffset);
    if (std::abs(gain - 1) < kGainTolerance && std::abs(offset) < kOffsetTolerance) continue;
    match.gain[c] = gain;
    match.offset[c] = offset;
  }
  return match;
}

ColorTable::ColorTable(const ColorMatch& match, double strength) {
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t v = 0; v < 256; ++v) {
      const double before = static_cast<double>(v);
      const double corrected = match.gain[c] * before + match.offset[c] * 255;
      value[c][v] = static_cast<float>(std::clamp(before + strength * (corrected - before), 0.0, 255.0));
    }
  }
}

void apply(const ColorTable& table, video::Image& frame) {
  for (int y = 0; y < frame.height; ++y) {
    std::uint8_t* row = frame.row(y);
    const DitherRow& thresholds = dither_row(y);
    for (std::size_t i = 0; i < frame.stride(); ++i) {
      const std::size_t x = i / video::Image::kChannels;
      row[i] = dithered(table.value[i % video::Image::kChannels][row[i]], thresholds[x % kDitherSide]);
    }
  }
}

}  // namespace reelfarm::stitcher

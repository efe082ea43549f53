#include "pipeline/text_encoders/detail/pillow_resize.hpp"

#include <algorithm>
#include <cmath>

namespace reelfarm::text_encoders::detail {
namespace {

constexpr std::int64_t kChannels = 3;
// 32 bits hold 8 bits of pixel, 2 bits of overshoot of the weights' sum, and the fraction.
constexpr int kFractionBits = 32 - 8 - 2;
constexpr double kSupport = 2.0;

double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

/// The source pixels first..first + weights.size() of one output pixel.
struct Window {
  std::int64_t first;
  std::vector<std::int32_t> weights;
};

std::vector<Window> windows(std::int64_t from, std::int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double stretch = std::max(scale, 1.0);
  const double support = kSupport * stretch;
  std::vector<Window> result;
  result.reserve(static_cast<std::size_t>(to));
  for (std::int64_t i = 0; i < to; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const auto first = std::max<std::int64_t>(static_cast<std::int64_t>(std::floor(center - support + 0.5)), 0);
    const auto end = std::min(static_cast<std::int64_t>(std::floor(center + support + 0.5)), from);
    std::vector<double> weights;
    double sum = 0.0;
    for (std::int64_t source = first; source < end; ++source) {
      weights.push_back(bicubic((static_cast<double>(source) - center + 0.5) * (1.0 / stretch)));
      sum += weights.back();
    }
    Window window{first, {}};
    for (double weight : weights) {
      if (sum != 0.0) weight *= 1.0 / sum;
      window.weights.push_back(static_cast<std::int32_t>(std::round(weight * (1 << kFractionBits))));
    }
    result.push_back(std::move(window));
  }
  return result;
}

/// Filters `lines` runs of pixels; in a run, neighbouring source pixels lie `step` bytes apart.
void filter(const std::uint8_t* source, std::uint8_t* target, const std::vector<Window>& outputs, std::int64_t lines,
            std::int64_t source_line, std::int64_t target_line, std::int64_t step) {
  for (std::int64_t line = 0; line < lines; ++line) {
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const Window& window = outputs[i];
      const std::uint8_t* in = source + line * source_line + window.first * step;
      std::int32_t sum[kChannels] = {1 << (kFractionBits - 1), 1 << (kFractionBits - 1), 1 << (kFractionBits - 1)};
      for (const std::int32_t weight : window.weights) {
        for (std::int64_t channel = 0; channel < kChannels; ++channel) sum[channel] += in[channel] * weight;
        in += step;
      }
      std::uint8_t* out = target + line * target_line + static_cast<std::int64_t>(i) * step;
      for (std::int64_t channel = 0; channel < kChannels; ++channel) {
        out[channel] = static_cast<std::uint8_t>(std::clamp(sum[channel] >> kFractionBits, 0, 255));
      }
    }
  }
}

}  // namespace

std::vector<std::uint8_t> pillow_resize(std::span<const std::uint8_t> pixels, std::int64_t height, std::int64_t width,
                                        std::int64_t new_height, std::int64_t new_width) {
  if (new_width == width && new_height == height) return {pixels.begin(), pixels.end()};
  const std::int64_t row = new_width * kChannels;
  std::vector<std::uint8_t> wide;
  if (new_width != width) {
    wide.resize(static_cast<std::size_t>(height * row));
    filter(pixels.data(), wide.data(), windows(width, new_width), height, width * kChannels, row, kChannels);
    if (new_height == height) return wide;
    pixels = wide;
  }
  // Runs go down the columns: one run per pixel of a row, pixels a row apart.
  std::vector<std::uint8_t> resized(static_cast<std::size_t>(new_height * row));
  filter(pixels.data(), resized.data(), windows(height, new_height), new_width, kChannels, kChannels, row);
  return resized;
}

}  // namespace reelfarm::text_encoders::detail

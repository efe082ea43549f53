#include "pipeline/stitcher/frame_stats.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace reelfarm::stitcher {
namespace {

// bt709 weights in 1/256, as they sum to 256.
constexpr unsigned kRed = 54;
constexpr unsigned kGreen = 183;
constexpr unsigned kBlue = 19;

void to_luma(const video::Image& frame, std::vector<std::uint8_t>& luma) {
  luma.resize(std::size_t(frame.width) * frame.height);
  const std::uint8_t* in = frame.rgb.data();
  for (std::uint8_t& out : luma) {
    out = static_cast<std::uint8_t>((kRed * in[0] + kGreen * in[1] + kBlue * in[2] + 128) >> 8);
    in += 3;
  }
}

// Runs are summed in 32 bits, which the compiler makes vector code of: 4096 * (4 * 255)^2 < 2^32.
constexpr int kRunPixels = 4096;

// Neighbours are two pixels away: the rounding of merged frames (dither.hpp) makes pixels that touch differ by a level,
// which would pass for detail in a frame that has none; two pixels on it rounds nearly alike.
constexpr int kReach = 2;

double laplacian_variance(const std::vector<std::uint8_t>& luma, int width, int height) {
  if (width <= 2 * kReach || height <= 2 * kReach) return 0;
  std::int64_t sum = 0;
  std::uint64_t squares = 0;
  for (int y = kReach; y + kReach < height; ++y) {
    const std::uint8_t* up = luma.data() + std::size_t(y - kReach) * width;
    const std::uint8_t* here = up + std::size_t{kReach} * width;
    const std::uint8_t* down = here + std::size_t{kReach} * width;
    for (int start = kReach; start + kReach < width; start += kRunPixels) {
      const int end = std::min(width - kReach, start + kRunPixels);
      std::int32_t run_sum = 0;
      std::uint32_t run_squares = 0;
      for (int x = start; x < end; ++x) {
        const std::int32_t value = 4 * here[x] - here[x - kReach] - here[x + kReach] - up[x] - down[x];
        run_sum += value;
        run_squares += static_cast<std::uint32_t>(value * value);
      }
      sum += run_sum;
      squares += run_squares;
    }
  }
  const double count = static_cast<double>(width - 2 * kReach) * (height - 2 * kReach);
  const double mean = static_cast<double>(sum) / count;
  return static_cast<double>(squares) / count - mean * mean;
}

}  // namespace

FrameStats FrameMeter::measure(const video::Image& frame) {
  std::swap(luma_, previous_);
  to_luma(frame, luma_);
  FrameStats stats;
  std::uint64_t sum = 0;
  std::uint64_t motion = 0;
  const bool first = previous_.size() != luma_.size();
  const std::vector<std::uint8_t>& before = first ? luma_ : previous_;
  for (std::size_t start = 0; start < luma_.size(); start += kRunPixels) {
    const std::size_t end = std::min(luma_.size(), start + kRunPixels);
    std::uint32_t run_sum = 0;
    std::uint32_t run_motion = 0;
    for (std::size_t i = start; i < end; ++i) {
      run_sum += luma_[i];
      run_motion += static_cast<std::uint32_t>(std::abs(int{luma_[i]} - int{before[i]}));
    }
    sum += run_sum;
    motion += run_motion;
  }
  const double count = static_cast<double>(std::max<std::size_t>(1, luma_.size()));
  stats.luma = static_cast<double>(sum) / count;
  stats.motion = static_cast<double>(motion) / count;
  stats.sharpness = laplacian_variance(luma_, frame.width, frame.height);
  return stats;
}

void WindowMeter::add(const video::Image& frame) {
  for (std::size_t start = 0; start < frame.rgb.size(); start += std::size_t{3} * kRunPixels) {
    const std::size_t end = std::min(frame.rgb.size(), start + std::size_t{3} * kRunPixels);
    std::array<std::uint32_t, 3> sum{};
    std::array<std::uint32_t, 3> squares{};
    for (std::size_t i = start; i < end; i += 3) {
      for (std::size_t c = 0; c < 3; ++c) {
        const std::uint32_t value = frame.rgb[i + c];
        sum[c] += value;
        squares[c] += value * value;
      }
    }
    for (std::size_t c = 0; c < 3; ++c) {
      sum_[c] += sum[c];
      squares_[c] += squares[c];
    }
  }
  count_ += frame.rgb.size() / 3;
}

std::array<double, 3> WindowMeter::mean() const {
  std::array<double, 3> result{};
  if (count_ == 0) return result;
  for (std::size_t c = 0; c < 3; ++c) result[c] = static_cast<double>(sum_[c]) / static_cast<double>(count_);
  return result;
}

std::array<double, 3> WindowMeter::deviation() const {
  std::array<double, 3> result{};
  if (count_ == 0) return result;
  const std::array<double, 3> average = mean();
  for (std::size_t c = 0; c < 3; ++c) {
    const double variance = static_cast<double>(squares_[c]) / static_cast<double>(count_) - average[c] * average[c];
    result[c] = std::sqrt(std::max(0.0, variance));
  }
  return result;
}

}  // namespace reelfarm::stitcher

#include "pipeline/schedulers/counter_noise.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <stdexcept>
#include <string>
#include <utility>

#include "pipeline/schedulers/philox.hpp"

namespace reelfarm::schedulers {
namespace {

/// The top 53 bits of two words as an integer that a double holds exactly.
double bits53(std::uint32_t high, std::uint32_t low) {
  return static_cast<double>(((static_cast<std::uint64_t>(high) << 32) | low) >> 11);
}

/// The values of two neighbouring columns (2k, 2k + 1): one Box-Muller pair per counter.
std::pair<float, float> normal_pair(const std::array<std::uint32_t, 4>& counter,
                                    const std::array<std::uint32_t, 2>& key) {
  const std::array<std::uint32_t, 4> words = philox4x32(counter, key);
  const double u = (bits53(words[0], words[1]) + 1.0) * 0x1p-53;  // (0, 1]: its logarithm is finite
  const double v = bits53(words[2], words[3]) * 0x1p-53;
  const double radius = std::sqrt(-2.0 * std::log(u));
  const double angle = 2.0 * std::numbers::pi * v;
  return {static_cast<float>(radius * std::cos(angle)), static_cast<float>(radius * std::sin(angle))};
}

void check_range(const char* name, std::int64_t first, std::int64_t count) {
  constexpr std::int64_t kLimit = std::numeric_limits<std::uint32_t>::max();
  if (first < 0 || count < 0 || first > kLimit - count) {
    throw std::invalid_argument("noise: " + std::string(name) + " from " + std::to_string(first) + ", count " +
                                std::to_string(count) + ", must be within 0.." + std::to_string(kLimit));
  }
}

}  // namespace

void fill_normal(std::uint64_t seed, const NoiseRegion& region, std::span<float> out) {
  check_range("channels", region.first_channel, region.channels);
  check_range("frames", region.first_frame, region.frames);
  check_range("rows", region.first_row, region.rows);
  check_range("columns", region.first_column, region.columns);
  if (static_cast<std::int64_t>(out.size()) != region.count()) {
    throw std::invalid_argument("noise: the region has " + std::to_string(region.count()) + " values, the output " +
                                std::to_string(out.size()));
  }
  const std::array<std::uint32_t, 2> key{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
  float* cursor = out.data();
  for (std::int64_t channel = region.first_channel; channel < region.first_channel + region.channels; ++channel) {
    for (std::int64_t frame = region.first_frame; frame < region.first_frame + region.frames; ++frame) {
      for (std::int64_t row = region.first_row; row < region.first_row + region.rows; ++row) {
        const std::int64_t end = region.first_column + region.columns;
        for (std::int64_t column = region.first_column; column < end;) {
          const auto [even, odd] = normal_pair({static_cast<std::uint32_t>(column / 2), static_cast<std::uint32_t>(row),
                                                static_cast<std::uint32_t>(channel), static_cast<std::uint32_t>(frame)},
                                               key);
          if (column % 2 == 0) {
            *cursor++ = even;
            ++column;
          }
          if (column < end) {
            *cursor++ = odd;
            ++column;
          }
        }
      }
    }
  }
}

}  // namespace reelfarm::schedulers

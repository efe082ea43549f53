#include "pipeline/schedulers/counter_noise.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

#include "pipeline/schedulers/philox.hpp"

namespace reelfarm::schedulers {
namespace {

std::vector<float> make(std::uint64_t seed, const NoiseRegion& region) {
  std::vector<float> values(static_cast<std::size_t>(region.count()));
  fill_normal(seed, region, values);
  return values;
}

double mean_of(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double correlation(const std::vector<float>& a, const std::vector<float>& b) {
  const double mean_a = mean_of(a);
  const double mean_b = mean_of(b);
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return ab / std::sqrt(aa * bb);
}

const NoiseRegion kClip{.channels = 16, .frames = 31, .rows = 34, .columns = 61};

TEST(CounterNoise, ValueIsBoxMullerOfItsCounter) {
  // Element (channel 3, frame 5, row 7, columns 8 and 9) by hand.
  const auto words = philox4x32({4, 7, 3, 5}, {0x9abcdef0, 0x12345678});
  const auto join = [](std::uint32_t high, std::uint32_t low) {
    return static_cast<long double>(((static_cast<std::uint64_t>(high) << 32) | low) >> 11);
  };
  const long double radius = std::sqrt(-2 * std::log((join(words[0], words[1]) + 1) * 0x1p-53L));
  const long double angle = 2 * std::numbers::pi_v<long double> * join(words[2], words[3]) * 0x1p-53L;
  const auto values = make(0x123456789abcdef0ULL, {.first_channel = 3,
                                                   .channels = 1,
                                                   .first_frame = 5,
                                                   .frames = 1,
                                                   .first_row = 7,
                                                   .rows = 1,
                                                   .first_column = 8,
                                                   .columns = 2});
  EXPECT_FLOAT_EQ(values[0], static_cast<float>(radius * std::cos(angle)));
  EXPECT_FLOAT_EQ(values[1], static_cast<float>(radius * std::sin(angle)));
}

TEST(CounterNoise, IsStandardNormal) {
  std::vector<float> values = make(42, kClip);
  const auto n = static_cast<double>(values.size());
  const double mean = mean_of(values);
  double second = 0, third = 0, fourth = 0;
  for (const float value : values) {
    const double d = value - mean;
    second += d * d;
    third += d * d * d;
    fourth += d * d * d * d;
  }
  const double variance = second / n;
  // Five standard errors of each moment of a normal sample.
  EXPECT_LT(std::abs(mean), 5 / std::sqrt(n));
  EXPECT_LT(std::abs(variance - 1), 5 * std::sqrt(2 / n));
  EXPECT_LT(std::abs(third / n / std::pow(variance, 1.5)), 5 * std::sqrt(6 / n));
  EXPECT_LT(std::abs(fourth / n / (variance * variance) - 3), 5 * std::sqrt(24 / n));

  std::ranges::sort(values);
  double distance = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double cdf = 0.5 * std::erfc(-static_cast<double>(values[i]) / std::numbers::sqrt2);
    distance = std::max(
        {distance, std::abs(cdf - static_cast<double>(i) / n), std::abs(static_cast<double>(i + 1) / n - cdf)});
  }
  EXPECT_LT(distance * std::sqrt(n), 1.95) << "Kolmogorov-Smirnov, p = 0.001";
}

TEST(CounterNoise, NeighboursAndSeedsAreUncorrelated) {
  const auto base = make(42, kClip);
  const double limit = 5 / std::sqrt(static_cast<double>(base.size()));
  const auto shifted = [](auto change) {
    NoiseRegion region = kClip;
    change(region);
    return region;
  };
  EXPECT_LT(std::abs(correlation(base, make(43, kClip))), limit);
  EXPECT_LT(std::abs(correlation(base, make(42 + (1ULL << 32), kClip))), limit);
  EXPECT_LT(std::abs(correlation(base, make(42, shifted([](auto& r) { r.first_channel = 1; })))), limit);
  EXPECT_LT(std::abs(correlation(base, make(42, shifted([](auto& r) { r.first_frame = 1; })))), limit);
  EXPECT_LT(std::abs(correlation(base, make(42, shifted([](auto& r) { r.first_row = 1; })))), limit);
  EXPECT_LT(std::abs(correlation(base, make(42, shifted([](auto& r) { r.first_column = 1; })))), limit);
}

TEST(CounterNoise, AnySliceMadeAloneEqualsThatPartOfTheWhole) {
  const NoiseRegion whole{.channels = 5, .frames = 6, .rows = 7, .columns = 9};
  const auto all = make(7, whole);
  for (std::int64_t column = 0; column < 4; ++column) {  // odd and even starts: columns are made in pairs
    for (std::int64_t columns = 1; columns <= 5; ++columns) {
      const NoiseRegion part{.first_channel = 2,
                             .channels = 3,
                             .first_frame = 1,
                             .frames = 4,
                             .first_row = 3,
                             .rows = 2,
                             .first_column = column,
                             .columns = columns};
      const auto slice = make(7, part);
      std::size_t i = 0;
      for (std::int64_t c = 2; c < 5; ++c) {
        for (std::int64_t f = 1; f < 5; ++f) {
          for (std::int64_t y = 3; y < 5; ++y) {
            for (std::int64_t x = column; x < column + columns; ++x, ++i) {
              ASSERT_EQ(slice[i], all[static_cast<std::size_t>(((c * 6 + f) * 7 + y) * 9 + x)]);
            }
          }
        }
      }
    }
  }
}

TEST(CounterNoise, RefusesAWrongSizeAndANegativeIndex) {
  std::vector<float> values(3);
  EXPECT_THROW(fill_normal(1, {.channels = 1, .frames = 1, .rows = 1, .columns = 4}, values), std::invalid_argument);
  EXPECT_THROW(fill_normal(1, {.channels = 1, .first_frame = -1, .frames = 1, .rows = 1, .columns = 3}, values),
               std::invalid_argument);
}

}  // namespace
}  // namespace reelfarm::schedulers

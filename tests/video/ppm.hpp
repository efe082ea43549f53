#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "pipeline/video/image.hpp"

namespace reelfarm::video::testing {

/// Reads a binary PPM (P6, 8 bit): simple enough to be read without the code under test.
inline Image read_ppm(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string magic;
  int width = 0;
  int height = 0;
  int maximum = 0;
  file >> magic >> width >> height >> maximum;
  file.get();
  EXPECT_EQ(magic, "P6") << path;
  EXPECT_EQ(maximum, 255) << path;
  Image image(width, height);
  file.read(reinterpret_cast<char*>(image.rgb.data()), static_cast<std::streamsize>(image.rgb.size()));
  EXPECT_EQ(static_cast<std::size_t>(file.gcount()), image.rgb.size()) << path;
  return image;
}

struct Difference {
  int largest = 0;
  double mean = 0;
};

inline Difference difference(const Image& left, const Image& right) {
  EXPECT_EQ(left.size_text(), right.size_text());
  Difference result;
  if (!left.same_size(right)) return {256, 256};
  for (std::size_t i = 0; i < left.rgb.size(); ++i) {
    const int step = std::abs(int{left.rgb[i]} - int{right.rgb[i]});
    result.largest = std::max(result.largest, step);
    result.mean += step;
  }
  result.mean /= static_cast<double>(std::max<std::size_t>(1, left.rgb.size()));
  return result;
}

}  // namespace reelfarm::video::testing

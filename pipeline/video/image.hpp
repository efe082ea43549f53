#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace reelfarm::video {

/// One frame or picture: 8-bit R, G, B interleaved, rows without padding, top row first; [height, width, 3].
struct Image {
  static constexpr int kChannels = 3;

  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgb;

  Image() = default;
  Image(int image_width, int image_height)
      : width(image_width), height(image_height), rgb(std::size_t(image_width) * image_height * kChannels) {}

  std::size_t stride() const { return std::size_t(width) * kChannels; }
  std::uint8_t* row(int y) { return rgb.data() + y * stride(); }
  const std::uint8_t* row(int y) const { return rgb.data() + y * stride(); }
  std::uint8_t* pixel(int x, int y) { return row(y) + std::ptrdiff_t{x} * kChannels; }
  const std::uint8_t* pixel(int x, int y) const { return row(y) + std::ptrdiff_t{x} * kChannels; }
  bool same_size(const Image& other) const { return width == other.width && height == other.height; }
  std::string size_text() const { return std::to_string(width) + "x" + std::to_string(height); }
  bool operator==(const Image&) const = default;
};

/// The rectangle of `image` at (x, y); throws std::out_of_range when it reaches outside.
Image crop(const Image& image, int x, int y, int width, int height);

}  // namespace reelfarm::video

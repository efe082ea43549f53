#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "pipeline/stitcher/frame_io.hpp"

namespace reelfarm::stitcher::testing {

using video::Image;

/// A window whose frames are made on demand by a function of the local frame index.
class SyntheticSource : public FrameSource {
 public:
  SyntheticSource(std::int64_t count, std::function<Image(std::int64_t)> make)
      : count_(count), make_(std::move(make)) {}

  bool next(Image& frame) override {
    if (index_ == count_) return false;
    frame = make_(index_++);
    return true;
  }

 private:
  std::int64_t count_;
  std::int64_t index_ = 0;
  std::function<Image(std::int64_t)> make_;
};

class CollectingSink : public FrameSink {
 public:
  void write(const Image& frame) override { frames.push_back(frame); }
  std::vector<Image> frames;
};

inline Image flat(int width, int height, int value) {
  Image image(width, height);
  for (std::uint8_t& v : image.rgb) v = static_cast<std::uint8_t>(value);
  return image;
}

inline constexpr int kBarcodeBits = 16;
inline constexpr int kBarcodeBlock = 8;  ///< pixels a side: survives 4:2:0 and H.264

/// Frame index as black and white blocks, least significant bit first, 4 a row; 32x32 pixels.
inline Image barcode(std::int64_t index) {
  constexpr int kPerRow = 4;
  Image image(kPerRow * kBarcodeBlock, kBarcodeBits / kPerRow * kBarcodeBlock);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const int bit = y / kBarcodeBlock * kPerRow + x / kBarcodeBlock;
      const std::uint8_t value = (index >> bit & 1) != 0 ? 255 : 0;
      for (int c = 0; c < 3; ++c) image.pixel(x, y)[c] = value;
    }
  }
  return image;
}

inline std::int64_t read_barcode(const Image& image) {
  std::int64_t index = 0;
  for (int bit = 0; bit < kBarcodeBits; ++bit) {
    const int x = bit % 4 * kBarcodeBlock + kBarcodeBlock / 2;
    const int y = bit / 4 * kBarcodeBlock + kBarcodeBlock / 2;
    if (image.pixel(x, y)[1] > 127) index |= std::int64_t{1} << bit;
  }
  return index;
}

/// A texture in the middle of the range that moves with `time`; `variant` adds noise of +-`amplitude` levels.
inline Image texture(int width, int height, std::int64_t time, std::uint32_t variant = 0, int amplitude = 0) {
  Image image(width, height);
  std::uint32_t state = variant * 2654435761U + static_cast<std::uint32_t>(time) * 40503U + 1;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        state = state * 1664525U + 1013904223U;
        const int wobble = amplitude == 0 ? 0 : static_cast<int>(state >> 16) % (2 * amplitude + 1) - amplitude;
        const int phase = static_cast<int>((x * (c + 2) + y * 3 + time * 2) % 96);
        image.pixel(x, y)[c] = static_cast<std::uint8_t>(70 + (phase < 48 ? phase : 96 - phase) * 2 + wobble);
      }
    }
  }
  return image;
}

}  // namespace reelfarm::stitcher::testing

#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "pipeline/video/image.hpp"

namespace reelfarm::stitcher {

/// What is measured of every frame of the finished video; three numbers a frame.
struct FrameStats {
  double luma = 0;       ///< mean, in 8-bit levels
  double motion = 0;     ///< mean |luma - luma of the frame before|, in 8-bit levels; 0 for the first frame
  double sharpness = 0;  ///< variance of the Laplacian of luma, over neighbours two pixels away
};

/// Measures frames in order; keeps one luma plane.
class FrameMeter {
 public:
  FrameStats measure(const video::Image& frame);

 private:
  std::vector<std::uint8_t> luma_;
  std::vector<std::uint8_t> previous_;
};

/// Mean and deviation of a window as decoded, before any correction, in 8-bit levels: drift shows here.
class WindowMeter {
 public:
  void add(const video::Image& frame);
  std::array<double, 3> mean() const;
  std::array<double, 3> deviation() const;

 private:
  std::array<std::uint64_t, 3> sum_{};
  std::array<std::uint64_t, 3> squares_{};
  std::uint64_t count_ = 0;
};

}  // namespace reelfarm::stitcher

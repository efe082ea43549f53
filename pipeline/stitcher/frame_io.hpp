#pragma once

#include <stdexcept>

#include "pipeline/video/image.hpp"

namespace reelfarm::stitcher {

/// Windows that do not fit their grid, or calls out of order.
class StitchError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The decoded frames of one window, in order, from its first.
class FrameSource {
 public:
  virtual ~FrameSource() = default;
  /// The next frame into `frame`, whose buffer is used again; false at the end.
  virtual bool next(video::Image& frame) = 0;
  /// Leaves out `count` frames; throws when there are fewer.
  virtual void skip(std::int64_t count);
};

/// Takes the finished frames of the video, in order.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  virtual void write(const video::Image& frame) = 0;
};

}  // namespace reelfarm::stitcher

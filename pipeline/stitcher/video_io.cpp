#include "pipeline/stitcher/video_io.hpp"

namespace reelfarm::stitcher {

void EncoderSink::write(const video::Image& frame) {
  if (frame.width == width_ && frame.height == height_) {
    encoder_.write(frame);
  } else if (frame.width < width_ || frame.height < height_) {
    throw StitchError("frames of " + frame.size_text() + " cannot be cropped to " + std::to_string(width_) + "x" +
                      std::to_string(height_));
  } else {
    encoder_.write(video::crop(frame, (frame.width - width_) / 2, (frame.height - height_) / 2, width_, height_));
  }
}

}  // namespace reelfarm::stitcher

#include "pipeline/stitcher/video_io.hpp"

#include <utility>

namespace reelfarm::stitcher {

EncoderSink::EncoderSink(video::VideoEncoder& encoder, int width, int height, std::function<void()> after_frame)
    : encoder_(encoder), width_(width), height_(height), after_frame_(std::move(after_frame)) {}

void EncoderSink::write(const video::Image& frame) {
  if (frame.width == width_ && frame.height == height_) {
    encoder_.write(frame);
  } else if (frame.width < width_ || frame.height < height_) {
    throw StitchError("frames of " + frame.size_text() + " cannot be cropped to " + std::to_string(width_) + "x" +
                      std::to_string(height_));
  } else {
    encoder_.write(video::crop(frame, (frame.width - width_) / 2, (frame.height - height_) / 2, width_, height_));
  }
  if (after_frame_) after_frame_();
}

}  // namespace reelfarm::stitcher

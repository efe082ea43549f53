#pragma once

#include <filesystem>
#include <functional>

#include "pipeline/stitcher/frame_io.hpp"
#include "pipeline/video/encoder.hpp"
#include "pipeline/video/video_reader.hpp"

namespace reelfarm::stitcher {

/// The frames of a window artifact.
class FileSource : public FrameSource {
 public:
  explicit FileSource(const std::filesystem::path& path, int threads = 2) : reader_(path, threads) {}

  bool next(video::Image& frame) override { return reader_.next(frame); }
  void skip(std::int64_t count) override { reader_.skip(count); }

 private:
  video::VideoReader reader_;
};

/// Crops frames to the video's size about the centre and encodes them.
class EncoderSink : public FrameSink {
 public:
  /// `encoder` must outlive the sink. `after_frame` (may be empty) is called for every frame, for example to keep a
  /// lease; what it throws ends the stitching.
  EncoderSink(video::VideoEncoder& encoder, int width, int height, std::function<void()> after_frame = {});

  void write(const video::Image& frame) override;

 private:
  video::VideoEncoder& encoder_;
  int width_;
  int height_;
  std::function<void()> after_frame_;
};

}  // namespace reelfarm::stitcher

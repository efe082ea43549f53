#pragma once

#include <filesystem>

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
  /// `encoder` must outlive the sink.
  EncoderSink(video::VideoEncoder& encoder, int width, int height)
      : encoder_(encoder), width_(width), height_(height) {}

  void write(const video::Image& frame) override;

 private:
  video::VideoEncoder& encoder_;
  int width_;
  int height_;
};

}  // namespace reelfarm::stitcher

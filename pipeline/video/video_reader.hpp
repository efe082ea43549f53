#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "pipeline/video/errors.hpp"
#include "pipeline/video/image.hpp"
#include "pipeline/windows/frame_rate.hpp"

namespace reelfarm::video {

/// What a file says about its video stream, with FFmpeg's names.
struct VideoInfo {
  int width = 0;
  int height = 0;
  windows::FrameRate rate;
  std::string codec;         ///< "h264", "ffv1", ...
  std::string pixel_format;  ///< "yuv420p", "bgr0", ...
  std::string color_space;   ///< "bt709", "unknown", ...
  std::string color_primaries;
  std::string color_transfer;
  std::string color_range;  ///< "tv", "pc" or "unknown"
};

/// Decodes a video frame by frame to RGB: exactly for RGB formats, with the tagged matrix (bt709 when untagged) for
/// YUV.
class VideoReader {
 public:
  /// Throws BadMedia with FFmpeg's words, artifacts::StorageError when the file is not there.
  explicit VideoReader(const std::filesystem::path& path, int threads = 2);
  ~VideoReader();
  VideoReader(VideoReader&&) noexcept;
  VideoReader& operator=(VideoReader&&) noexcept;

  const VideoInfo& info() const;
  /// The next frame into `frame`, whose buffer is used again; false at the end. A damaged frame throws BadMedia.
  bool next(Image& frame);
  /// Leaves out `count` frames: without decoding where every frame stands alone (FFV1), else by decoding them.
  void skip(std::int64_t count);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Frames in a file, counted by reading all of it without decoding.
std::int64_t count_frames(const std::filesystem::path& path);

}  // namespace reelfarm::video

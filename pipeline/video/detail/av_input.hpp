#pragma once

#include <filesystem>

#include "pipeline/video/detail/av.hpp"

namespace reelfarm::video::detail {

/// An opened file with its one video stream found. Throws BadMedia with FFmpeg's words.
class Demuxer {
 public:
  explicit Demuxer(const std::filesystem::path& path);

  AVFormatContext& context() { return *context_; }
  AVStream& stream() { return *context_->streams[stream_]; }
  /// The next packet of the video stream; false at the end.
  bool read(AVPacket& packet);
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  AvInput context_;
  int stream_ = 0;
};

}  // namespace reelfarm::video::detail

#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "pipeline/video/image.hpp"
#include "pipeline/windows/frame_rate.hpp"

namespace reelfarm::video {

/// Writes the frames of a window artifact one by one: FFV1 level 3 with a checksum for each slice, 8-bit RGB, in
/// Matroska. Lossless; the same frames give the same bytes whatever `threads` is. VideoReader reads it back.
class FrameWriter {
 public:
  /// Where somebody waits for a window to be written or read.
  static constexpr int kThreads = 8;

  /// At least 16 pixels a side. Throws VideoError and artifacts::StorageError, as do the other methods.
  FrameWriter(const std::filesystem::path& path, int width, int height, const windows::FrameRate& rate,
              int threads = 2);
  ~FrameWriter();
  FrameWriter(FrameWriter&&) noexcept;
  FrameWriter& operator=(FrameWriter&&) noexcept;

  void write(const Image& frame);
  std::int64_t frames() const;
  /// Writes what is left and syncs the file; without it the file ends somewhere. The caller renames it into place.
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace reelfarm::video

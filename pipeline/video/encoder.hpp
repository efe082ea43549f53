#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "pipeline/video/codec.hpp"
#include "pipeline/video/image.hpp"
#include "pipeline/windows/frame_rate.hpp"

namespace reelfarm::video {

struct EncoderOptions {
  Codec codec = Codec::kH264;
  int width = 0;  ///< even
  int height = 0;
  windows::FrameRate rate;
  std::optional<int> quality;  ///< the codec's CRF; empty means its default (18 for H.264)
  std::string preset;          ///< empty means the codec's default ("medium" for H.264)
  int threads = 8;             ///< part of what decides the bytes, so never taken from the machine
  bool faststart = true;       ///< false leaves the index of an mp4 at its end
};

/// Writes a whole video once, frame by frame, into a partial file that players open while it grows and after a crash;
/// publish() then makes the final file of it. RGB is converted with the bt709 matrix to limited range and tagged so.
/// The same frames and options give the same bytes.
class VideoEncoder {
 public:
  /// Creates or empties `partial`. Throws VideoError (odd size, encoder missing) and artifacts::StorageError.
  VideoEncoder(const std::filesystem::path& partial, const EncoderOptions& options);
  ~VideoEncoder();
  VideoEncoder(VideoEncoder&&) noexcept;
  VideoEncoder& operator=(VideoEncoder&&) noexcept;

  /// Appends a frame of exactly the options' size.
  void write(const Image& frame);
  std::int64_t frames() const;

  /// Ends the stream and closes the partial file; no write afterwards.
  void finish();

  /// finish(), then writes the final container beside the partial (mp4 and mov with the index in front), syncs it,
  /// counts its frames, renames it to `path` (never over an existing file) and removes the partial.
  void publish(const std::filesystem::path& path);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace reelfarm::video

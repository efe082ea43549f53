#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include <ATen/core/Tensor.h>

#include "pipeline/render/renderer.hpp"
#include "worker/protocol/messages.hpp"
#include "worker/ranks/frame_sorter.hpp"
#include "worker/ranks/publisher.hpp"

namespace reelfarm::worker {

/// Makes a window's artifact of its decoded pieces, in whatever order they come. The tail goes out as soon as it is
/// whole.
class WindowWriter {
 public:
  struct Listeners {
    std::function<void(double fraction)> on_written;  ///< share of the frames that are in the file
    std::function<void(const FileReference&)> on_tail;
  };

  /// `latents`: (1, 16, L, h, w) fp32, what the frames are decoded from.
  WindowWriter(const std::filesystem::path& data, const TaskOrder& order, const std::string& fingerprint,
               at::Tensor latents, Listeners listeners);

  void add(const render::DecodedFrames& piece);

  /// Frames in which no value is above 8 of 255.
  std::int64_t black_frames() const { return black_frames_; }
  std::int64_t frames() const { return frames_; }

  /// To be called once all frames have come. `metrics` is a JSON object.
  FileReference publish(const std::string& metrics);

 private:
  void write(const at::Tensor& frames);

  std::filesystem::path data_;
  TaskOrder order_;
  at::Tensor latents_;
  Listeners listeners_;
  std::int64_t frames_;
  std::int64_t black_frames_ = 0;
  FrameSorter sorter_;
  WindowPublisher publisher_;
  std::optional<FileReference> tail_;
};

}  // namespace reelfarm::worker

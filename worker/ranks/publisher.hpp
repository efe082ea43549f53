#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include <ATen/core/Tensor.h>

#include "pipeline/artifacts/window_artifact.hpp"
#include "pipeline/video/frame_writer.hpp"
#include "worker/protocol/messages.hpp"

namespace reelfarm::worker {

/// `path` as reports name it: relative to `data`, with the file's SHA-256. Throws artifacts::StorageError.
FileReference file_reference(const std::filesystem::path& data, const std::filesystem::path& path, std::int64_t frames);
/// The same of a published window: its folder, the SHA-256 of its manifest, the bytes of all files.
FileReference window_reference(const std::filesystem::path& data, const std::filesystem::path& folder,
                               const artifacts::WindowManifest& manifest);

/// SHA-256 of what the order's window starts from: a tail, an image, or nothing.
const std::string& start_of(const TaskOrder& order);

/// Writes the T2I frame of an image task, (height, width, 3) uint8, under a name of its attempt. Durable on return.
FileReference publish_image(const std::filesystem::path& data, const TaskOrder& order, const at::Tensor& frame);

/// What a window starts from, as publish_tail wrote it.
struct Tail {
  at::Tensor frames;   ///< (4(c-1)+1, height, width, 3) uint8
  at::Tensor latents;  ///< (1, 16, c, h, w) fp32: the latents that were decoded to those frames
};

/// Writes <name of the attempt>.tail.safetensors into the order's folder, durable on return: the next window may start.
FileReference publish_tail(const std::filesystem::path& data, const TaskOrder& order, const Tail& tail);

/// Writes one window's artifact while its frames come in ascending order; nothing is visible before publish().
class WindowPublisher {
 public:
  WindowPublisher(const std::filesystem::path& data, const TaskOrder& order, const std::string& fingerprint);

  /// frames: (n, height, width, 3) uint8 on the CPU, the next n of the window.
  void write(const at::Tensor& frames);
  /// Adds the tail file, hashes, syncs and renames the folder into place. `metrics` is a JSON object.
  FileReference publish(const FileReference& tail, const std::string& metrics);

 private:
  std::filesystem::path data_;
  TaskOrder order_;
  std::string fingerprint_;
  artifacts::Staging staging_;
  video::FrameWriter writer_;
};

}  // namespace reelfarm::worker

#include "worker/ranks/publisher.hpp"

#include <cstring>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "pipeline/artifacts/file.hpp"
#include "pipeline/artifacts/sha256.hpp"
#include "pipeline/render/renderer.hpp"
#include "pipeline/video/png_writer.hpp"
#include "pipeline/weights/safetensors_writer.hpp"
#include "pipeline/windows/grid.hpp"

namespace reelfarm::worker {
namespace {

namespace fs = std::filesystem;

/// Artifacts are lossless frames: the rate is only what a player shows them at.
constexpr int kPlaybackRate = 24;

std::string attempt_name(const TaskOrder& order) {
  return artifacts::window_folder_name(order.window, order.take, order.attempt, order.nonce);
}

std::span<const std::byte> bytes_of(const at::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
}

weights::SafetensorsWriter::Declaration declare(const std::string& name, weights::DType dtype,
                                                const at::Tensor& tensor) {
  return {name, dtype, tensor.sizes().vec()};
}

}  // namespace

FileReference file_reference(const fs::path& data, const fs::path& path, std::int64_t frames) {
  return {fs::relative(path, data).string(), artifacts::sha256_of_file(path),
          static_cast<std::uint64_t>(artifacts::File::open_to_read(path).size()), frames};
}

FileReference window_reference(const fs::path& data, const fs::path& folder,
                               const artifacts::WindowManifest& manifest) {
  const artifacts::WindowIdentity identity = artifacts::identify_window(folder, manifest);
  return {fs::relative(folder, data).string(), identity.sha256, identity.bytes, manifest.frame_count};
}

const std::string& start_of(const TaskOrder& order) {
  return order.tail.empty() ? order.image_sha256 : order.tail_sha256;
}

FileReference publish_image(const fs::path& data, const TaskOrder& order, const at::Tensor& frame) {
  const fs::path folder = data / order.folder;
  artifacts::create_folders(folder);
  const fs::path path = folder / (attempt_name(order) + ".png");
  const fs::path staged = folder / (".staging-" + attempt_name(order) + ".png");
  video::write_png(render::to_image(frame.unsqueeze(0)), staged);
  artifacts::sync_path(staged);
  artifacts::rename_durably(staged, path);
  return file_reference(data, path, 1);
}

FileReference publish_tail(const fs::path& data, const TaskOrder& order, const Tail& tail) {
  const fs::path folder = data / order.folder;
  artifacts::create_folders(folder);
  const fs::path path = folder / (attempt_name(order) + ".tail.safetensors");
  const at::Tensor frames = tail.frames.contiguous();
  const at::Tensor latents = tail.latents.to(at::kCPU, at::kFloat).contiguous();
  weights::SafetensorsWriter writer(
      path, {declare("frames", weights::DType::u8, frames), declare("latents", weights::DType::f32, latents)});
  writer.append("frames", bytes_of(frames));
  writer.append("latents", bytes_of(latents));
  writer.finish();
  return file_reference(data, path, frames.size(0));
}

WindowPublisher::WindowPublisher(const fs::path& data, const TaskOrder& order, const std::string& fingerprint)
    : data_(data),
      order_(order),
      fingerprint_(fingerprint),
      staging_(data / order.folder, attempt_name(order)),
      // The next window's decode waits for this one's file.
      writer_(staging_.path() / artifacts::kFramesFile, order.width, order.height, windows::FrameRate{kPlaybackRate, 1},
              video::FrameWriter::kThreads) {}

void WindowPublisher::write(const at::Tensor& frames) {
  for (std::int64_t index = 0; index < frames.size(0); ++index) writer_.write(render::to_image(frames, index));
}

FileReference WindowPublisher::publish(const FileReference& tail, const std::string& metrics) {
  writer_.finish();
  fs::copy_file(data_ / tail.path, staging_.path() / artifacts::kTailFile);
  artifacts::WindowManifest manifest;
  manifest.job = order_.job;
  manifest.window = order_.window;
  manifest.take = order_.take;
  manifest.attempt = order_.attempt;
  manifest.nonce = order_.nonce;
  manifest.artifact_key = order_.artifact_key;
  manifest.fingerprint = fingerprint_;
  manifest.start_sha256 = start_of(order_);
  manifest.seed = order_.seed;
  manifest.first_frame = order_.first_frame;
  manifest.frame_count = writer_.frames();
  manifest.width = order_.width;
  manifest.height = order_.height;
  manifest.metrics = nlohmann::json::parse(metrics);
  const fs::path folder = staging_.publish(std::move(manifest));
  return window_reference(data_, folder, artifacts::open_window(folder, artifacts::Check::kSizes));
}

}  // namespace reelfarm::worker

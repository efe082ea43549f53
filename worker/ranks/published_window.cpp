#include "worker/ranks/published_window.hpp"

#include <algorithm>
#include <vector>

#include "pipeline/artifacts/window_artifact.hpp"
#include "pipeline/windows/grid.hpp"
#include "worker/ranks/publisher.hpp"

namespace reelfarm::worker {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> folders_of_window(const fs::path& folder, const TaskOrder& order) {
  // The name of an attempt without attempt and nonce.
  const std::string any = artifacts::window_folder_name(order.window, order.take, 0, "");
  const std::string prefix = any.substr(0, any.rfind('a'));
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().filename().string().starts_with(prefix) && entry.is_directory(error)) found.push_back(entry);
  }
  std::sort(found.begin(), found.end());
  return found;
}

bool fits(const artifacts::WindowManifest& manifest, const TaskOrder& order, const std::string& fingerprint) {
  return manifest.artifact_key == order.artifact_key && manifest.fingerprint == fingerprint &&
         manifest.start_sha256 == start_of(order) &&
         manifest.frame_count == windows::frames_of_latents(order.num_latents) && manifest.width == order.width &&
         manifest.height == order.height;
}

}  // namespace

std::optional<PublishedWindow> find_published(const fs::path& data, const TaskOrder& order,
                                              const std::string& fingerprint,
                                              const std::function<void(const std::string&)>& note) {
  for (const fs::path& folder : folders_of_window(data / order.folder, order)) {
    try {
      if (!fits(artifacts::open_window(folder, artifacts::Check::kSizes), order, fingerprint)) continue;
      const artifacts::WindowManifest manifest = artifacts::open_window(folder, artifacts::Check::kHashes);
      const artifacts::ManifestFile* tail = artifacts::find_file(manifest, artifacts::kTailFile);
      if (tail == nullptr) {
        note("a published window is passed by: " + folder.string() + " has no tail");
        continue;
      }
      return PublishedWindow{window_reference(data, folder, manifest),
                             {fs::relative(folder / tail->name, data).string(), tail->sha256, tail->size_bytes,
                              windows::frames_of_latents(order.tail_latents)},
                             manifest.metrics.dump()};
    } catch (const artifacts::ArtifactError& error) {
      note(std::string("a published window is passed by: ") + error.what());
    }
  }
  return std::nullopt;
}

}  // namespace reelfarm::worker

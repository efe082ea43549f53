#include "coordinator/published_window.hpp"

#include <algorithm>

#include "pipeline/artifacts/file.hpp"
#include "pipeline/artifacts/sha256.hpp"
#include "pipeline/windows/grid.hpp"

namespace reelfarm::coordinator {

namespace fs = std::filesystem;

queue::FinishReport report_of_window(const queue::DataFolder& data, const fs::path& folder,
                                     const artifacts::WindowManifest& manifest, const queue::TaskSpec& task,
                                     int overlap_frames) {
  const artifacts::WindowIdentity identity = artifacts::identify_window(folder, manifest);
  queue::FinishReport report;
  report.artifact = {data.relative(folder), identity.sha256, identity.bytes, manifest.frame_count};
  if (const artifacts::ManifestFile* tail = artifacts::find_file(manifest, artifacts::kTailFile)) {
    const std::int64_t latents =
        std::min<std::int64_t>(windows::latents_for_frames(overlap_frames), task.span.num_latents);
    report.tail = queue::Artifact{data.relative(folder / tail->name), tail->sha256, tail->size_bytes,
                                  windows::frames_of_latents(latents)};
  }
  report.digest = report.artifact.sha256;
  report.metrics = manifest.metrics.dump();
  return report;
}

queue::FinishReport report_of_image(const queue::DataFolder& data, const fs::path& file) {
  queue::FinishReport report;
  report.artifact = {data.relative(file), artifacts::sha256_of_file(file),
                     static_cast<std::uint64_t>(artifacts::File::open_to_read(file).size()), 1};
  report.digest = report.artifact.sha256;
  return report;
}

}  // namespace reelfarm::coordinator

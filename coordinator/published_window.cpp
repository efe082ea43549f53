#include "coordinator/published_window.hpp"

#include <algorithm>

#include "pipeline/artifacts/file.hpp"
#include "pipeline/artifacts/sha256.hpp"
#include "pipeline/windows/grid.hpp"

namespace reelfarm::coordinator {

namespace fs = std::filesystem;

namespace {

std::uint64_t size_of(const fs::path& file) {
  return static_cast<std::uint64_t>(artifacts::File::open_to_read(file).size());
}

}  // namespace

queue::FinishReport report_of_window(const queue::DataFolder& data, const fs::path& folder,
                                     const artifacts::WindowManifest& manifest, const queue::TaskSpec& task,
                                     int overlap_frames) {
  queue::FinishReport report;
  report.artifact.path = data.relative(folder);
  report.artifact.sha256 = artifacts::sha256_of_file(folder / artifacts::kManifestFile);
  report.artifact.bytes = size_of(folder / artifacts::kManifestFile);
  report.artifact.frames = manifest.frame_count;
  for (const artifacts::ManifestFile& file : manifest.files) {
    report.artifact.bytes += file.size_bytes;
    if (file.name != artifacts::kTailFile) continue;
    const std::int64_t latents =
        std::min<std::int64_t>(windows::latents_for_frames(overlap_frames), task.span.num_latents);
    report.tail = queue::Artifact{data.relative(folder / file.name), file.sha256, file.size_bytes,
                                  windows::frames_of_latents(latents)};
  }
  report.digest = report.artifact.sha256;
  report.metrics = manifest.metrics.dump();
  return report;
}

queue::FinishReport report_of_image(const queue::DataFolder& data, const fs::path& file) {
  queue::FinishReport report;
  report.artifact = {data.relative(file), artifacts::sha256_of_file(file), size_of(file), 1};
  report.digest = report.artifact.sha256;
  return report;
}

}  // namespace reelfarm::coordinator

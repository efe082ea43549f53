#pragma once

#include <filesystem>

#include "pipeline/artifacts/window_artifact.hpp"
#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::coordinator {

/// What the queue is told of a window that lies on the disk, as the group that rendered it told it. `overlap_frames` is
/// the job's. Throws artifacts::ArtifactError when the manifest cannot be read.
queue::FinishReport report_of_window(const queue::DataFolder& data, const std::filesystem::path& folder,
                                     const artifacts::WindowManifest& manifest, const queue::TaskSpec& task,
                                     int overlap_frames);

/// The same of the first frame that text-to-image made.
queue::FinishReport report_of_image(const queue::DataFolder& data, const std::filesystem::path& file);

}  // namespace reelfarm::coordinator

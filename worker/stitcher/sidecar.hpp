#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "pipeline/stitcher/report.hpp"
#include "pipeline/video/encoder.hpp"
#include "queue/data_folder.hpp"
#include "queue/task.hpp"

namespace reelfarm::worker {

/// What is known of a published video, for the JSON file beside it.
struct Sidecar {
  queue::JobSpec job;
  queue::TaskSpec stitch;
  queue::FencingToken token;
  queue::Artifact video;
  bool partial = false;
  video::EncoderOptions encoding;
  stitcher::StitchReport report;
};

/// Prompt, seeds, bundle, settings, attempts, windows and seams: enough to make the video again.
nlohmann::json describe(const Sidecar& sidecar, const std::vector<const queue::TaskRecord*>& windows,
                        const queue::DataFolder& data);

/// The few figures that stay with the task in the queue.
nlohmann::json summary(const stitcher::StitchReport& report);

}  // namespace reelfarm::worker

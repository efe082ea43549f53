#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "pipeline/artifacts/file.hpp"
#include "pipeline/artifacts/window_artifact.hpp"
#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::test {

inline constexpr const char* kFingerprint = "f00d";

/// Claims as the one group of the farm with the sample bundle.
inline std::optional<queue::Lease> claim(queue::JobStore& store, queue::TaskKind kind) {
  queue::ClaimFilter filter;
  filter.owner = "g1";
  filter.host = "host";
  filter.kinds = {kind};
  filter.bundle_hash = std::string(64, 'a');
  filter.fingerprint = kFingerprint;
  return store.claim(filter);
}

/// Publishes what a group would for a window: its folder, whose name is returned by the artifact, and the tail beside
/// it. `frames`: a video to publish a copy of; empty: a line of text.
inline queue::FinishReport publish_window(const queue::DataFolder& data, const queue::Lease& lease,
                                          const std::filesystem::path& frames = {}) {
  const queue::TaskSpec& task = lease.task.spec;
  artifacts::Staging staging(
      data.job_windows(task.job),
      artifacts::window_folder_name(task.window, lease.job.take, lease.token.attempt, lease.token.nonce));
  if (frames.empty()) {
    std::ofstream(staging.path() / artifacts::kFramesFile) << "frames of " << task.id;
  } else {
    std::filesystem::copy_file(frames, staging.path() / artifacts::kFramesFile);
  }
  std::ofstream(staging.path() / artifacts::kTailFile) << "tail of " << task.id;
  artifacts::WindowManifest manifest;
  manifest.job = task.job;
  manifest.window = task.window;
  manifest.take = lease.job.take;
  manifest.attempt = lease.token.attempt;
  manifest.nonce = lease.token.nonce;
  manifest.fingerprint = kFingerprint;
  manifest.seed = task.render.seed;
  manifest.first_frame = task.span.first_frame;
  manifest.frame_count = task.span.num_frames;
  manifest.artifact_key = task.artifact_key;
  if (task.window > 0) manifest.start_sha256 = lease.inputs.at(0).tail->sha256;
  manifest.metrics = {{"seconds", 3}};
  const auto folder = staging.publish(manifest);
  queue::FinishReport report;
  report.digest = "digest of " + task.id;
  report.artifact = {data.relative(folder), report.digest, 100, task.span.num_frames};
  const auto tail = artifacts::open_window(folder, artifacts::Check::kSizes).files.back();
  report.tail = queue::Artifact{data.relative(folder / tail.name), tail.sha256, tail.size_bytes, 1};
  return report;
}

/// Renders every task of the farm that may run, as a group and a stitcher do.
inline void render_all(queue::JobStore& store, const queue::DataFolder& data) {
  std::filesystem::create_directories(data.videos());
  for (bool worked = true; worked;) {
    worked = false;
    for (const auto kind : {queue::TaskKind::image, queue::TaskKind::window, queue::TaskKind::stitch}) {
      const auto lease = claim(store, kind);
      if (!lease) continue;
      queue::FinishReport report;
      if (kind == queue::TaskKind::window) {
        report = publish_window(data, *lease);
      } else {
        const auto file = kind == queue::TaskKind::image ? data.job_image(lease->task.spec.job) / "w0000_t1_a1_n.png"
                                                         : data.videos() / (lease->task.spec.job + ".mp4");
        std::filesystem::create_directories(file.parent_path());
        artifacts::write_file_durably(file, "made by " + lease->token.task);
        report.digest = "digest of " + lease->token.task;
        report.artifact = {data.relative(file), report.digest, 10, 1};
      }
      try {
        worked = store.finish(lease->token, report) == queue::ReplyCode::ok;
      } catch (const queue::TransitionError&) {  // windows are still to come
        store.release(lease->token, "too early", false);
      }
      if (worked) break;
    }
  }
}

}  // namespace reelfarm::test

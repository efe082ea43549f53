#include "worker/stitcher/sidecar.hpp"

#include <algorithm>

#include "pipeline/artifacts/window_artifact.hpp"
#include "queue/codec.hpp"

namespace reelfarm::worker {
namespace {

constexpr int kSidecarSchema = 1;

nlohmann::json describe_window(const queue::TaskRecord& task, const queue::DataFolder& data) {
  nlohmann::json json = {{"index", task.spec.window},
                         {"seed", task.spec.render.seed},
                         {"prompt", task.spec.render.prompt},
                         {"attempt", task.attempt},
                         {"first_frame", task.spec.span.first_frame},
                         {"frames", task.spec.span.num_frames},
                         {"artifact", task.artifact.path}};
  const auto manifest = artifacts::open_window(data.absolute(task.artifact.path), artifacts::Check::kSizes);
  json["fingerprint"] = manifest.fingerprint;
  json["metrics"] = manifest.metrics;
  return json;
}

}  // namespace

nlohmann::json describe(const Sidecar& sidecar, const std::vector<const queue::TaskRecord*>& windows,
                        const queue::DataFolder& data) {
  nlohmann::json list = nlohmann::json::array();
  for (const stitcher::WindowReport& merged : sidecar.report.windows) {
    list.push_back(describe_window(*windows.at(static_cast<std::size_t>(merged.window)), data));
  }
  const video::EncoderOptions& encoding = sidecar.encoding;
  return {{"schema", kSidecarSchema},
          {"job", sidecar.stitch.job},
          {"name", sidecar.job.name},
          {"take", sidecar.job.take},
          {"partial", sidecar.partial},
          {"prompt", sidecar.job.prompt},
          {"seed", sidecar.job.seed},
          {"bundle", sidecar.job.bundle},
          {"bundle_hash", sidecar.job.bundle_hash},
          {"spec", queue::to_json(sidecar.job)},
          {"video",
           {{"path", sidecar.video.path},
            {"sha256", sidecar.video.sha256},
            {"bytes", sidecar.video.bytes},
            {"frames", sidecar.video.frames},
            {"frame_rate", windows::to_string(encoding.rate)},
            {"width", encoding.width},
            {"height", encoding.height},
            {"codec", video::to_string(encoding.codec)},
            {"preset", encoding.preset},
            {"threads", encoding.threads}}},
          {"stitch_attempt", sidecar.token.attempt},
          {"windows", list},
          {"stitch", stitcher::to_json(sidecar.report)}};
}

nlohmann::json summary(const stitcher::StitchReport& report) {
  double worst_jump = 0;
  double worst_psnr_db = stitcher::kIdenticalDb;
  int cuts = 0;
  for (const stitcher::SeamReport& seam : report.seams) {
    worst_jump = std::max(worst_jump, seam.jump);
    worst_psnr_db = std::min(worst_psnr_db, seam.seam.overlap_psnr_db);
    cuts += seam.seam.merge == stitcher::Merge::kCut ? 1 : 0;
  }
  return {{"frames", report.frames},
          {"seams", report.seams.size()},
          {"cuts", cuts},
          {"worst_jump", worst_jump},
          {"worst_overlap_psnr_db", worst_psnr_db},
          {"luma_drift_per_window", report.luma_drift_per_window}};
}

}  // namespace reelfarm::worker

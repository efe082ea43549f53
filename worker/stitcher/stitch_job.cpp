#include "worker/stitcher/stitch_job.hpp"

#include <algorithm>
#include <utility>

#include "pipeline/artifacts/file.hpp"
#include "pipeline/artifacts/sha256.hpp"
#include "pipeline/artifacts/window_artifact.hpp"
#include "pipeline/stitcher/read_ahead.hpp"
#include "pipeline/video/frame_writer.hpp"
#include "worker/stitcher/sidecar.hpp"

namespace reelfarm::worker {
namespace {

namespace fs = std::filesystem;

const queue::TaskRecord& stitch_of(const std::vector<queue::TaskRecord>& tasks) {
  const auto found = std::find_if(tasks.begin(), tasks.end(),
                                  [](const auto& task) { return task.spec.kind == queue::TaskKind::stitch; });
  if (found == tasks.end()) throw stitcher::StitchError("the job has no stitch task");
  return *found;
}

// The grid again, from what was asked; every window task must lie where it says.
windows::Grid grid_of(const queue::JobSpec& job, const queue::StitchSettings& stitch,
                      const std::vector<queue::TaskRecord>& tasks) {
  windows::Grid grid = windows::plan({stitch.frames, job.window_frames.value_or(0), stitch.overlap_frames});
  const auto records = windows_of(tasks);
  bool same = records.size() == grid.windows.size();
  for (std::size_t j = 0; same && j < records.size(); ++j) {
    const queue::WindowSpan& span = records[j]->spec.span;
    same = span.first_frame == grid.windows[j].frames.first && span.num_frames == grid.windows[j].frames.count();
  }
  if (!same) {
    throw stitcher::StitchError("the " + std::to_string(records.size()) + " window tasks are not the grid of " +
                                std::to_string(stitch.frames) + " frames in windows of " +
                                std::to_string(job.window_frames.value_or(0)) + " with overlap " +
                                std::to_string(stitch.overlap_frames));
  }
  return grid;
}

video::EncoderOptions encoder_options(const queue::StitchSettings& stitch, const EncodingChoice& choice) {
  video::EncoderOptions options;
  options.codec = video::parse_codec(stitch.codec);
  options.width = stitch.width;
  options.height = stitch.height;
  options.rate = {stitch.frame_rate_numerator, stitch.frame_rate_denominator};
  options.preset = choice.preset;
  options.threads = choice.threads;
  return options;
}

fs::path make_partial_path(const queue::DataFolder& data, const queue::TaskSpec& spec, const queue::FencingToken& token,
                           video::Codec codec) {
  const fs::path folder = data.job_stitch(spec.job);
  artifacts::create_folders(folder);
  // Partials of earlier attempts are nobody's: their lease is gone, or ours would not be.
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with("partial_")) fs::remove(entry.path());
  }
  return folder / ("partial_a" + std::to_string(token.attempt) + "_" + token.nonce + video::extension_of(codec));
}

}  // namespace

std::vector<const queue::TaskRecord*> windows_of(const std::vector<queue::TaskRecord>& tasks) {
  std::vector<const queue::TaskRecord*> records;
  for (const queue::TaskRecord& task : tasks) {
    if (task.spec.kind == queue::TaskKind::window) records.push_back(&task);
  }
  std::sort(records.begin(), records.end(),
            [](const auto* left, const auto* right) { return left->spec.window < right->spec.window; });
  return records;
}

std::int64_t leading_windows(const std::vector<queue::TaskRecord>& tasks) {
  const queue::TaskRecord& stitch = stitch_of(tasks);
  std::int64_t leading = 0;
  for (const queue::TaskRecord* task : windows_of(tasks)) {
    if (task->state != queue::TaskState::done || (stitch.partial && leading == stitch.window_limit)) break;
    ++leading;
  }
  return leading;
}

StitchJob::StitchJob(const queue::Lease& lease, const std::vector<queue::TaskRecord>& tasks,
                     const queue::DataFolder& data, const EncodingChoice& encoding, std::function<void()> after_frame)
    : token_(lease.token),
      spec_(lease.task.spec),
      job_spec_(lease.job),
      data_(data),
      partial_path_(make_partial_path(data, spec_, token_, video::parse_codec(spec_.stitch.codec))),
      encoding_(encoder_options(spec_.stitch, encoding)),
      encoder_(partial_path_, encoding_),
      sink_(encoder_, spec_.stitch.width, spec_.stitch.height),
      behind_(sink_, std::move(after_frame)),
      stitcher_(grid_of(job_spec_, spec_.stitch, tasks), {}, behind_) {}

StitchJob::~StitchJob() {
  std::error_code ignored;
  fs::remove(partial_path_, ignored);
}

bool StitchJob::can_advance(const std::vector<queue::TaskRecord>& tasks) const {
  return stitcher_.next_window() < leading_windows(tasks);
}

fs::path StitchJob::check_window(const queue::TaskRecord& task) const {
  const fs::path folder = data_.absolute(task.artifact.path);
  const artifacts::WindowManifest manifest = artifacts::open_window(folder, artifacts::Check::kHashes);
  if (manifest.job != spec_.job || manifest.window != task.spec.window ||
      manifest.first_frame != task.spec.span.first_frame || manifest.frame_count != task.spec.span.num_frames) {
    throw artifacts::CorruptArtifact("artifact " + folder.string() + " holds frames " +
                                     std::to_string(manifest.first_frame) + "+" + std::to_string(manifest.frame_count) +
                                     " of job " + manifest.job + " window " + std::to_string(manifest.window) +
                                     ", expected " + std::to_string(task.spec.span.first_frame) + "+" +
                                     std::to_string(task.spec.span.num_frames) + " of job " + spec_.job + " window " +
                                     std::to_string(task.spec.window));
  }
  return folder / artifacts::kFramesFile;
}

void StitchJob::advance(const std::vector<queue::TaskRecord>& tasks) {
  const auto index = static_cast<std::size_t>(stitcher_.next_window());
  const queue::TaskRecord& task = *windows_of(tasks).at(index);
  fs::path frames;
  try {
    frames = check_window(task);
  } catch (const artifacts::ArtifactError& error) {
    if (!artifacts::is_lost(error)) throw;
    throw LostWindow(task, error.what());
  }
  stitcher::FileSource file(frames, video::FrameWriter::kThreads);
  stitcher::ReadAhead ahead(file);
  stitcher_.add_window(ahead);
}

bool StitchJob::complete(const std::vector<queue::TaskRecord>& tasks) const {
  if (stitcher_.complete()) return true;
  return stitch_of(tasks).partial && stitcher_.next_window() > 0 && !can_advance(tasks);
}

std::string StitchJob::base_name(bool partial) const {
  return spec_.job + "_v" + std::to_string(job_spec_.take) + "_a" + std::to_string(token_.attempt) + "_" +
         token_.nonce + (partial ? "_partial" : "");
}

queue::FinishReport StitchJob::publish(const std::vector<queue::TaskRecord>& tasks) {
  const bool partial = !stitcher_.complete();
  if (partial) stitcher_.finish_early();
  behind_.finish();
  artifacts::create_folders(data_.videos());
  const std::string name = base_name(partial);
  video_path_ = data_.videos() / (name + video::extension_of(encoding_.codec));
  encoder_.publish(video_path_);
  queue::FinishReport finish;
  finish.artifact.path = data_.relative(video_path_);
  finish.artifact.sha256 = artifacts::sha256_of_file(video_path_);
  finish.artifact.bytes = fs::file_size(video_path_);
  finish.artifact.frames = encoder_.frames();
  finish.digest = finish.artifact.sha256;
  const Sidecar sidecar{.job = job_spec_,
                        .stitch = spec_,
                        .token = token_,
                        .video = finish.artifact,
                        .partial = partial,
                        .encoding = encoding_,
                        .report = stitcher_.report()};
  finish.metrics = summary(sidecar.report).dump();
  artifacts::write_file_durably(data_.videos() / (name + ".json"),
                                describe(sidecar, windows_of(tasks), data_).dump(2) + "\n");
  return finish;
}

void StitchJob::withdraw() {
  if (video_path_.empty()) return;
  std::error_code ignored;
  fs::remove(video_path_, ignored);
  fs::remove(fs::path(video_path_).replace_extension(".json"), ignored);
}

void StitchJob::remove_predecessors() const {
  const std::string prefix = spec_.job + "_v" + std::to_string(job_spec_.take) + "_a";
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(data_.videos(), ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix)) continue;
    const std::int64_t attempt = std::atoll(name.c_str() + prefix.size());
    if (attempt < token_.attempt) fs::remove(entry.path(), ignored);
  }
}

}  // namespace reelfarm::worker

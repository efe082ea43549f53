#include "tests/chaos/jobs.hpp"

#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/sha256.hpp"
#include "pipeline/artifacts/window_artifact.hpp"
#include "queue/errors.hpp"

namespace reelfarm::chaos {
namespace {

queue::ImageInput put_in(const queue::DataFolder& data, const std::filesystem::path& photo) {
  const std::string sha256 = artifacts::sha256_of_file(photo);
  std::filesystem::copy_file(photo, data.input(sha256), std::filesystem::copy_options::skip_existing);
  return {sha256, "png", photo.filename()};
}

/// What is wrong with the one file or folder that the queue names as the task's; empty: nothing.
std::string complaint_about(Farm& farm, const queue::TaskRecord& task, const Damaged& damaged) {
  if (task.state != queue::TaskState::done) return std::string(to_string(task.state)) + " in a job that is done";
  if (damaged.contains(task.artifact.path)) return {};  // Too late to be noticed: the video was merged already.
  try {
    const bool window = task.spec.kind == queue::TaskKind::window;
    const auto path = farm.data().absolute(task.artifact.path);
    const auto file = window ? path / artifacts::kManifestFile : path;
    if (artifacts::sha256_of_file(file) != task.artifact.sha256) return file.string() + " has changed";
    if (window && artifacts::open_window(path, artifacts::Check::kHashes).artifact_key != task.spec.artifact_key) {
      return path.string() + " is another window's";
    }
  } catch (const artifacts::ArtifactError& error) {
    return error.what();
  }
  return {};
}

}  // namespace

Round::Round(Farm& farm, const JobPlan& plan) {
  std::vector<queue::JobSpec> specs;
  for (int index = 0; index < plan.jobs; ++index) {
    queue::JobSpec spec;
    spec.prompt = "A cat walks on the grass";
    spec.image = put_in(farm.data(), plan.photo);
    spec.frames = plan.frames;
    spec.steps = plan.steps;
    spec.seed = static_cast<std::uint64_t>(index) + 1;
    specs.push_back(std::move(spec));
  }
  const auto submitted = farm.store().submit_batch(specs);
  for (std::size_t index = 0; index < specs.size(); ++index) {
    jobs_[specs[index].seed] = submitted[index].job;
    ended_[submitted[index].job] = false;
  }
}

bool Round::over(Farm& farm) {
  bool all = true;
  for (auto& [job, ended] : ended_) {
    if (!ended) {
      const auto record = farm.store().get_job(job);
      ended = !record || is_terminal(record->state);
    }
    all = all && ended;
  }
  return all;
}

std::vector<std::string> Round::open() const {
  std::vector<std::string> jobs;
  for (const auto& [job, ended] : ended_) {
    if (!ended) jobs.push_back(job);
  }
  return jobs;
}

std::vector<std::string> complaints_about(Farm& farm, const std::string& job, const Damaged& damaged) {
  const auto record = farm.store().get_job(job);
  if (!record) return {job + " is lost: the queue does not know it"};
  if (record->state != queue::JobState::done) {
    return {job + " is " + std::string(to_string(record->state)) + ": " + record->error.error_class + ", " +
            record->error.message};
  }
  std::vector<std::string> complaints;
  int windows = 0;
  for (const queue::TaskRecord& task : farm.store().get_tasks(job)) {
    if (task.spec.kind == queue::TaskKind::window) ++windows;
    const std::string complaint = complaint_about(farm, task, damaged);
    if (!complaint.empty()) complaints.push_back(task.spec.id + ": " + complaint);
  }
  if (windows != record->windows) {
    complaints.push_back(job + " has " + std::to_string(windows) + " windows instead of " +
                         std::to_string(record->windows));
  }
  return complaints;
}

std::string video_of(Farm& farm, const std::string& job) {
  const auto record = farm.store().get_job(job);
  return artifacts::sha256_of_file(farm.data().absolute(record ? record->output : ""));
}

void remove_files(Farm& farm, const std::string& job) {
  const auto record = farm.store().get_job(job);
  std::filesystem::remove_all(farm.data().job_windows(job));
  if (record && !record->output.empty()) std::filesystem::remove(farm.data().absolute(record->output));
}

}  // namespace reelfarm::chaos

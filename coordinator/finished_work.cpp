#include "coordinator/finished_work.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>
#include <vector>

#include "coordinator/published_window.hpp"
#include "logging/log_format.hpp"
#include "pipeline/artifacts/errors.hpp"

namespace reelfarm::coordinator {
namespace {

namespace fs = std::filesystem;

struct Found {
  fs::path folder;
  artifacts::WindowManifest manifest;
};

/// What can be seen in a folder under its final names, sorted, so that every look finds the same.
std::vector<fs::path> published_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  if (!fs::exists(folder, error)) return found;
  fs::directory_iterator entries(folder, error);
  if (error) throw artifacts::StorageError("list", folder, 0, error.value());
  for (const fs::directory_entry& entry : entries) {
    if (!entry.path().filename().string().starts_with(".")) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<Found> whole_windows(const fs::path& folder) {
  std::vector<Found> windows;
  for (const fs::path& path : published_in(folder)) {
    std::error_code ignored;
    if (!fs::is_directory(path, ignored)) continue;
    try {
      windows.push_back({path, artifacts::open_window(path, artifacts::Check::kSizes)});
    } catch (const artifacts::ArtifactError& error) {
      spdlog::warn("window=passed_by error={}", logging::quoted(error.what()));
    }
  }
  return windows;
}

bool is_of(const artifacts::WindowManifest& manifest, const queue::TaskSpec& task) {
  return manifest.job == task.job && manifest.window == task.window && manifest.artifact_key == task.artifact_key &&
         manifest.first_frame == task.span.first_frame && manifest.frame_count == task.span.num_frames;
}

bool passes(const Found& window, artifacts::Check check) try {
  artifacts::open_window(window.folder, check);
  return true;
} catch (const artifacts::ArtifactError& error) {
  spdlog::warn("window=passed_by error={}", logging::quoted(error.what()));
  return false;
}

/// The leading windows of one fingerprint.
std::map<std::string, queue::FinishReport> chain_of(const std::string& fingerprint, const std::vector<Found>& windows,
                                                    const queue::DataFolder& data, const queue::Plan& plan,
                                                    artifacts::Check check) {
  std::map<std::string, queue::FinishReport> chain;
  std::string before;  // sha256 of the tail
  for (const queue::TaskSpec& task : plan.tasks) {
    if (task.kind != queue::TaskKind::window) continue;
    const auto found = std::find_if(windows.begin(), windows.end(), [&](const Found& window) {
      return window.manifest.fingerprint == fingerprint && is_of(window.manifest, task) &&
             artifacts::find_file(window.manifest, artifacts::kTailFile) &&
             (task.window == 0 || window.manifest.start_sha256 == before) && passes(window, check);
    });
    if (found == windows.end()) break;
    queue::FinishReport report =
        report_of_window(data, found->folder, found->manifest, task, plan.spec.overlap_frames.value_or(1));
    before = report.tail->sha256;
    chain.emplace(task.id, std::move(report));
  }
  return chain;
}

}  // namespace

FinishedWork find_finished_work(const queue::DataFolder& data, const std::string& job, const queue::Plan& plan,
                                artifacts::Check check) {
  FinishedWork work;
  const std::vector<Found> windows = whole_windows(data.job_windows(job));
  std::set<std::string> fingerprints;
  for (const Found& window : windows) fingerprints.insert(window.manifest.fingerprint);
  for (const std::string& fingerprint : fingerprints) {
    auto chain = chain_of(fingerprint, windows, data, plan, check);
    if (chain.size() > work.tasks.size()) work = {std::move(chain), fingerprint};
  }
  if (work.tasks.empty()) return work;
  for (const queue::TaskSpec& task : plan.tasks) {
    if (task.kind != queue::TaskKind::image) continue;
    const std::vector<fs::path> images = published_in(data.job_image(job));
    if (images.empty()) return {};
    work.tasks[task.id] = report_of_image(data, images.front());
  }
  return work;
}

}  // namespace reelfarm::coordinator

#include "coordinator/rebuild.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <stdexcept>
#include <tuple>
#include <vector>

#include "coordinator/finished_work.hpp"
#include "coordinator/job_file.hpp"
#include "coordinator/kept_state.hpp"
#include "logging/log_format.hpp"
#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"
#include "pipeline/artifacts/sha256.hpp"

namespace reelfarm::coordinator {
namespace {

namespace fs = std::filesystem;

struct JobsInData {
  std::vector<std::string> planned;  ///< have a job.json
  std::vector<std::string> removed;  ///< had one, until their removal began
};

JobsInData jobs_in(const queue::DataFolder& data) {
  std::error_code error;
  fs::directory_iterator folders(data.jobs(), error);
  if (error) throw artifacts::StorageError("list", data.jobs(), 0, error.value());
  JobsInData jobs;
  for (const fs::directory_entry& folder : folders) {
    const std::string job = folder.path().filename().string();
    std::error_code ignored;
    if (!queue::is_job_id(job)) continue;
    if (fs::exists(data.job_file(job), ignored)) {
      jobs.planned.push_back(job);
    } else if (fs::exists(data.removed_job_file(job), ignored)) {
      jobs.removed.push_back(job);
    }
  }
  return jobs;
}

KeptState kept_state_of(const queue::DataFolder& data, const std::string& job) try {
  return read_kept_state(data, job).value_or(KeptState{});
} catch (const queue::CodecError& error) {
  spdlog::warn("job={} state_file=unreadable error={}", job, logging::quoted(error.what()));
  return {};
}

bool is_whole(const queue::DataFolder& data, const queue::FinishReport& report) try {
  return artifacts::sha256_of_file(data.absolute(report.artifact.path)) == report.artifact.sha256;
} catch (const artifacts::ArtifactError& error) {
  spdlog::warn("image=passed_by error={}", logging::quoted(error.what()));
  return false;
} catch (const queue::DataFolderError& error) {
  spdlog::warn("image=passed_by error={}", logging::quoted(error.what()));
  return false;
}

/// A done job's windows may have been removed by then; that they were done is enough.
void add_what_was_removed(queue::Plan& plan) {
  for (const queue::TaskSpec& task : plan.tasks) {
    plan.finished.try_emplace(task.id, queue::FinishReport{"removed", {}, std::nullopt, ""});
  }
}

queue::SavedJob saved_job(const queue::DataFolder& data, const JobFile& file) {
  const KeptState kept = kept_state_of(data, file.job);
  queue::SavedJob saved{
      file.asked, queue::ServerTime(std::chrono::milliseconds(file.submitted_ms)), file.plan, {}, kept.changes};
  const bool done = kept.end && kept.end->state == queue::JobState::done && kept.video;
  // Of a done job nothing is read again unless a new take asks for it, and that looks for itself.
  FinishedWork work =
      find_finished_work(data, file.job, file.plan, done ? artifacts::Check::kSizes : artifacts::Check::kHashes);
  saved.plan.finished = std::move(work.tasks);
  saved.plan.fingerprint = std::move(work.fingerprint);
  if (saved.plan.finished.empty() && kept.image && is_whole(data, *kept.image)) {
    saved.plan.finished.emplace(queue::task_id(file.job, queue::TaskKind::image), *kept.image);
    saved.plan.fingerprint = kept.fingerprint;
  }
  if (!kept.end) return saved;
  if (kept.video) saved.plan.finished[queue::task_id(file.job, queue::TaskKind::stitch)] = *kept.video;
  if (done) {
    saved.plan.fingerprint = kept.fingerprint;
    add_what_was_removed(saved.plan);
  }
  if (done || kept.end->state != queue::JobState::done) saved.end = kept.end;
  return saved;
}

/// Groups announce their bundle when they start, and would not do so again.
void register_bundles(queue::JobStore& store, const std::vector<JobFile>& files) {
  const std::vector<queue::BundleLimits> known = store.list_bundles();
  if (!known.empty()) return;
  for (const JobFile& file : files) store.register_bundle(file.bundle);
}

void bury(queue::JobStore& store, const queue::DataFolder& data, const std::string& job, const std::string& reason) {
  spdlog::error("job={} state=lost reason={}", job, logging::quoted(reason));
  store.bury(job, reason, artifacts::read_file(data.job_file(job)));
}

}  // namespace

RebuildResult rebuild(queue::JobStore& store, const queue::DataFolder& data) {
  RebuildResult result;
  std::vector<JobFile> files;
  // One bad job must not keep the others away.
  const auto attempt = [&](const std::string& job, const auto& work) {
    try {
      work();
      return;
    } catch (const artifacts::ArtifactError& error) {
      spdlog::error("job={} state=lost error={}", job, logging::quoted(error.what()));
      return;
    } catch (const queue::CodecError& error) {
      bury(store, data, job, error.what());
    } catch (const std::invalid_argument& error) {
      bury(store, data, job, error.what());
    }
    ++result.unreadable;
  };
  const JobsInData jobs = jobs_in(data);
  for (const std::string& job : jobs.removed) store.mark_removing(job);
  const std::vector<queue::Standing> standing = store.standing(jobs.planned);
  for (std::size_t i = 0; i < standing.size(); ++i) {
    const std::string& job = jobs.planned[i];
    if (standing[i] != queue::Standing::unknown) continue;
    attempt(job, [&] {
      if (auto file = read_job_file(data, job)) files.push_back(std::move(*file));
    });
  }
  std::sort(files.begin(), files.end(), [](const JobFile& a, const JobFile& b) {
    return std::tie(a.submitted_ms, a.job) < std::tie(b.submitted_ms, b.job);
  });
  register_bundles(store, files);
  for (const JobFile& file : files) {
    attempt(file.job, [&] {
      const queue::SavedJob saved = saved_job(data, file);
      if (!store.restore(file.job, saved)) return;
      ++result.restored;
      spdlog::warn("job={} state=restored tasks_done={} of={}", file.job, saved.plan.finished.size(),
                   saved.plan.tasks.size());
    });
  }
  return result;
}

void bring_back(queue::JobStore& store, const queue::DataFolder& data, const std::string& job) {
  const std::optional<JobFile> file = read_job_file(data, job);
  if (!file) return;
  const queue::SavedJob saved = saved_job(data, *file);
  if (!store.restore(job, saved)) return;
  spdlog::warn("job={} state=restored reason=\"Redis had it as it was before revision {}\"", job,
               saved.changes.revision);
}

}  // namespace reelfarm::coordinator

#include "coordinator/janitor.hpp"

#include <spdlog/spdlog.h>

#include <filesystem>

#include "coordinator/kept_state.hpp"
#include "coordinator/removal.hpp"
#include "logging/log_format.hpp"
#include "pipeline/artifacts/errors.hpp"
#include "queue/errors.hpp"

namespace reelfarm::coordinator {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxJobsPerPass = 100'000;

bool is_due(const queue::JobRecord& job, queue::ServerTime now, const JanitorOptions& options) {
  if (job.state != queue::JobState::done || !job.closed) return false;
  switch (job.spec.keep) {
    case queue::Keep::final:
      return true;
    case queue::Keep::reroll:
      return now - job.finished > options.keep_for_reroll;
    case queue::Keep::all:
      return false;
  }
  return false;
}

/// Until DATA has it that the job is done, a Redis that loses it would want the windows again.
bool knows_end(const queue::DataFolder& data, const std::string& job) try {
  const std::optional<KeptState> kept = read_kept_state(data, job);
  return kept && kept->end;
} catch (const queue::CodecError&) {
  return false;
}

enum class Removed { nothing, all, not_all };

/// `what`: a word for the log.
Removed remove_folder(const fs::path& folder, const std::string& job, const char* what) {
  std::error_code error;
  if (!fs::exists(folder, error)) return Removed::nothing;
  try {
    remove_tree(folder);
    return Removed::all;
  } catch (const artifacts::StorageError& problem) {
    spdlog::warn("job={} {}=kept error={}", job, what, logging::quoted(problem.what()));
    return Removed::not_all;
  }
}

int remove_half_written(const fs::path& folder, std::chrono::hours stale_after) {
  int removed = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    const bool half_written = name.starts_with(".") && (name.ends_with(".tmp") || name.ends_with(".partial"));
    std::error_code ignored;
    if (!half_written || fs::file_time_type::clock::now() - entry.last_write_time(ignored) < stale_after) continue;
    if (!ignored && fs::remove(entry.path(), ignored)) ++removed;
  }
  return removed;
}

}  // namespace

JanitorResult clean(queue::JobStore& store, const queue::DataFolder& data, const JanitorOptions& options) {
  JanitorResult result;
  result.removals_ended = finish_removals(store, data);
  const queue::ServerTime now = store.now();
  for (const std::string& id : store.finished_before(now, kMaxJobsPerPass)) {
    // A job that was cleaned before has no such folders, which is cheaper to ask than Redis.
    std::error_code error;
    if (!fs::exists(data.job_windows(id), error) && !fs::exists(data.job_image(id), error)) continue;
    const auto job = store.get_job(id);
    if (!job || !is_due(*job, now, options) || !knows_end(data, id)) continue;
    const Removed windows = remove_folder(data.job_windows(id), id, "windows");
    const Removed image = remove_folder(data.job_image(id), id, "image");
    if (windows == Removed::not_all || image == Removed::not_all) continue;
    ++result.jobs_cleaned;
    spdlog::info("job={} windows=removed keep={}", id, queue::to_string(job->spec.keep));
  }
  for (const std::string& id : store.finished_before(now - options.stale_after, kMaxJobsPerPass)) {
    if (remove_folder(data.job_steps(id), id, "steps") == Removed::all) ++result.steps_removed;
  }
  result.files_removed =
      remove_half_written(data.inputs(), options.stale_after) + remove_half_written(data.root(), options.stale_after);
  return result;
}

}  // namespace reelfarm::coordinator

#include "coordinator/inbox.hpp"

#include <spdlog/spdlog.h>

#include <filesystem>
#include <stdexcept>

#include "coordinator/planner.hpp"
#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"

namespace reelfarm::coordinator {
namespace {

constexpr int kBatch = 1000;

}  // namespace

KnownBundles known_bundles(queue::JobStore& store) {
  KnownBundles bundles;
  bundles.registered = store.list_bundles();
  for (const queue::GroupRecord& group : store.list_groups()) {
    if (group.state != queue::GroupState::gone && group.state != queue::GroupState::failed) {
      bundles.live_hashes.push_back(group.bundle_hash);
    }
  }
  return bundles;
}

InboxResult Inbox::process() {
  InboxResult result;
  const auto entries = store_.read_inbox(kBatch);
  if (entries.empty()) return result;
  const KnownBundles bundles = known_bundles(store_);
  std::vector<JobFile> decided;
  for (const queue::InboxEntry& entry : entries) {
    try {
      decided.push_back(decide(entry, bundles));
      create_job_file(data_, decided.back());
      // Another coordinator may have been first; its plan is the one that counts.
      if (auto existing = read_job_file(data_, entry.job)) decided.back() = std::move(*existing);
    } catch (const Rejected& error) {
      reject(entry.job, error.what(), result);
    } catch (const NoBundleYet& error) {
      keep_waiting(entry.job, error.what(), result);
    } catch (const artifacts::ArtifactError& error) {
      if (!decided.empty() && decided.back().job == entry.job) decided.pop_back();
      keep_waiting(entry.job, error.what(), result);
    }
  }
  if (!decided.empty()) artifacts::sync_path(data_.jobs());
  for (const JobFile& file : decided) {
    try {
      accept(file, result);
    } catch (const std::invalid_argument& error) {
      reject(file.job, std::string("its plan is not consistent: ") + error.what(), result);
    }
  }
  return result;
}

JobFile Inbox::decide(const queue::InboxEntry& entry, const KnownBundles& bundles) {
  try {
    if (auto existing = read_job_file(data_, entry.job)) return *existing;
  } catch (const queue::CodecError& error) {
    // Only an accepted job's file is worth keeping, and this one is still in the inbox.
    spdlog::warn("job={} job_file=unreadable action=replan text=\"{}\"", entry.job, error.what());
    std::filesystem::remove(data_.job_file(entry.job));
  }
  check_request(entry.spec);
  check_against_farm(entry.spec);
  const queue::BundleLimits& limits = choose_bundle(entry.spec, bundles);
  CompletedJob completed = complete(entry.spec, limits);
  for (const std::string& warning : completed.warnings) spdlog::warn("job={} warning=\"{}\"", entry.job, warning);
  JobFile file;
  file.job = entry.job;
  file.asked = entry.spec;
  file.plan = plan_job(entry.job, completed.spec, limits);
  file.bundle = limits;
  file.submitted_ms = entry.submitted.time_since_epoch().count();
  check_space(file.plan);
  return file;
}

void Inbox::check_against_farm(const queue::JobSpec& spec) {
  if (spec.image && !std::filesystem::is_regular_file(data_.input(spec.image->sha256))) {
    throw Rejected("the image " + spec.image->name + " (" + spec.image->sha256.substr(0, 12) + "...) is not in " +
                   data_.inputs().string() + ": submit it again with the farm's own --data");
  }
  if (!spec.after.empty()) {
    const auto before = store_.get_job(spec.after);
    if (!before) throw Rejected("after is " + spec.after + ": there is no such job");
    if (before->state == queue::JobState::failed || before->state == queue::JobState::cancelled) {
      throw Rejected("after is " + spec.after + ": that job has " +
                     (before->state == queue::JobState::failed ? "failed" : "been cancelled"));
    }
  }
}

void Inbox::check_space(const queue::Plan& plan) const {
  std::error_code error;
  const auto space = std::filesystem::space(data_.root(), error);
  if (!error && space.capacity > 0 && plan.bytes_needed > space.capacity) {
    throw Rejected("the job needs about " + std::to_string(plan.bytes_needed >> 20) + " MiB of disk, but all of " +
                   data_.root().string() + " has " + std::to_string(space.capacity >> 20) + " MiB");
  }
}

void Inbox::accept(const JobFile& file, InboxResult& result) {
  if (store_.accept(file.job, file.plan)) {
    ++result.accepted;
    waiting_.erase(file.job);
    spdlog::info("job={} state=queued windows={} frames={} bundle={} bytes_needed={}", file.job,
                 file.plan.tasks.back().stitch.windows, file.plan.spec.frames.value_or(0), file.plan.spec.bundle,
                 file.plan.bytes_needed);
    return;
  }
  // It was cancelled between reading and accepting; a file without a job would bring it back in a rebuild.
  const auto job = store_.get_job(file.job);
  if (!job || (job->windows == 0 && queue::is_terminal(job->state))) {
    std::filesystem::remove_all(data_.job(file.job));
    spdlog::info("job={} state=dropped reason=\"left the inbox before it was accepted\"", file.job);
  }
}

void Inbox::reject(const std::string& job, const std::string& reason, InboxResult& result) {
  waiting_.erase(job);
  if (store_.reject(job, reason)) {
    ++result.rejected;
    spdlog::info("job={} state=rejected reason=\"{}\"", job, reason);
  }
}

void Inbox::keep_waiting(const std::string& job, const std::string& reason, InboxResult& result) {
  ++result.waiting;
  std::string& logged = waiting_[job];
  if (logged != reason) {
    logged = reason;
    spdlog::warn("job={} state=submitted reason=\"{}\"", job, reason);
  }
}

}  // namespace reelfarm::coordinator

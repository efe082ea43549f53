#include "coordinator/inbox.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include "coordinator/planner.hpp"
#include "coordinator/take.hpp"
#include "logging/log_format.hpp"
#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"

namespace reelfarm::coordinator {
namespace {

constexpr int kMaxEntries = 1000;
constexpr std::size_t kPiece = 64;
// The disk takes several files on their way at once in hardly more time than one.
constexpr std::size_t kWriters = 8;

/// Creates the files and replaces each by the one that is there, if another coordinator was first: its plan is the one
/// that counts. Answers what went wrong with each; empty: nothing.
std::vector<std::string> write_job_files(const queue::DataFolder& data, std::vector<JobFile>& files) {
  std::vector<std::string> problems(files.size());
  std::atomic<std::size_t> next{0};
  const auto write = [&] {
    for (std::size_t index = next++; index < files.size(); index = next++) {
      try {
        create_job_file(data, files[index]);
        if (auto existing = read_job_file(data, files[index].job)) files[index] = std::move(*existing);
      } catch (const std::exception& error) {
        problems[index] = error.what();
      }
    }
  };
  std::vector<std::jthread> writers;
  for (std::size_t writer = 1; writer < std::min(kWriters, files.size()); ++writer) writers.emplace_back(write);
  write();
  writers.clear();
  return problems;
}

}  // namespace

KnownBundles known_bundles(queue::JobStore& store) {
  KnownBundles bundles;
  bundles.registered = store.list_bundles();
  for (const queue::GroupRecord& group : store.list_groups()) {
    if (group.state != queue::GroupState::gone && group.state != queue::GroupState::failed) {
      bundles.live[group.bundle_hash].insert(group.dtype);
    }
  }
  return bundles;
}

InboxResult Inbox::process() {
  InboxResult result;
  auto entries = store_.read_inbox(kMaxEntries);
  if (entries.empty()) return result;
  std::stable_sort(entries.begin(), entries.end(), [](const queue::InboxEntry& a, const queue::InboxEntry& b) {
    return a.spec.priority > b.spec.priority;
  });
  const KnownBundles bundles = known_bundles(store_);
  space_ = measure_(data_.root());
  promised_ = store_.reserved_bytes();
  first_in_line_.clear();
  // In pieces, so that the first of a thousand jobs does not wait for the file of the last.
  for (std::size_t first = 0; first < entries.size(); first += kPiece) {
    process_piece(std::span(entries).subspan(first, std::min(kPiece, entries.size() - first)), bundles, result);
  }
  return result;
}

void Inbox::process_piece(std::span<const queue::InboxEntry> entries, const KnownBundles& bundles,
                          InboxResult& result) {
  std::vector<JobFile> decided;
  for (const queue::InboxEntry& entry : entries) {
    try {
      decided.push_back(decide(entry, bundles));
    } catch (const Rejected& error) {
      reject(entry.job, error.what(), result);
    } catch (const NotYet& error) {
      keep_waiting(entry.job, error.what(), result);
    } catch (const artifacts::ArtifactError& error) {
      keep_waiting(entry.job, error.what(), result);
    }
  }
  if (decided.empty()) return;
  const std::vector<std::string> problems = write_job_files(data_, decided);
  artifacts::sync_path(data_.jobs());
  for (std::size_t index = 0; index < decided.size(); ++index) {
    if (!problems[index].empty()) {
      keep_waiting(decided[index].job, problems[index], result);
      continue;
    }
    try {
      accept(decided[index], result);
    } catch (const std::invalid_argument& error) {
      reject(decided[index].job, std::string("its plan is not consistent: ") + error.what(), result);
    }
  }
}

JobFile Inbox::decide(const queue::InboxEntry& entry, const KnownBundles& bundles) {
  try {
    if (auto existing = read_job_file(data_, entry.job)) return *existing;
  } catch (const queue::CodecError& error) {
    // Only an accepted job's file is worth keeping, and this one is still in the inbox.
    spdlog::warn("job={} job_file=unreadable action=replan text={}", entry.job, logging::quoted(error.what()));
    std::filesystem::remove(data_.job_file(entry.job));
  }
  check_request(entry.spec);
  check_against_farm(entry.spec);
  const std::optional<Parent> parent = find_parent(store_, data_, entry.spec);
  // What its windows were rendered with: a bundle of the same name may be another by now.
  const queue::BundleLimits& limits = parent ? parent->file.bundle : choose_bundle(entry.spec, bundles);
  CompletedJob completed = complete(entry.spec, limits);
  prompts_.require_fit(completed.spec, limits);
  if (parent) require_same_video(completed.spec, parent->file.plan.spec);
  if (!completed.spec.parent.empty()) {
    const queue::Take take = store_.reserve_take(entry.job, completed.spec.parent);
    completed.spec.family = take.family;
    completed.spec.take = take.number;
  }
  for (const std::string& warning : completed.warnings)
    spdlog::warn("job={} warning={}", entry.job, logging::quoted(warning));
  JobFile file;
  file.job = entry.job;
  file.asked = entry.spec;
  file.plan = plan_job(entry.job, completed.spec, limits, parent ? &parent->file.plan : nullptr);
  file.bundle = limits;
  file.submitted_ms = entry.submitted.time_since_epoch().count();
  reserve_space(file);
  if (parent) take_over(data_, *parent, entry.job, file.plan);
  return file;
}

void Inbox::check_against_farm(const queue::JobSpec& spec) {
  if (spec.image && !std::filesystem::is_regular_file(data_.input(spec.image->sha256))) {
    throw Rejected("the image " + spec.image->name + " (" + spec.image->sha256.substr(0, 12) + "...) is not in " +
                   data_.inputs().string() + ": submit it again with the farm's own --data");
  }
  if (!spec.parent.empty() && !store_.get_job(spec.parent)) {
    throw Rejected("it is a new take of " + spec.parent + ": there is no such job");
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

void Inbox::reserve_space(const JobFile& file) {
  if (!space_) return;
  const std::uint64_t bytes = file.plan.bytes_needed;
  const std::string need = "the job needs about " + std::to_string(bytes >> 20) + " MiB of disk";
  if (bytes > space_->capacity) {
    throw Rejected(need + ", but all of " + data_.root().string() + " has " + std::to_string(space_->capacity >> 20) +
                   " MiB");
  }
  if (promised_ + bytes > space_->free) {
    if (first_in_line_.empty()) first_in_line_ = file.job;
    throw NotYet(need + ": that is not free in " + data_.root().string() + ", or accepted jobs still need it");
  }
  if (!first_in_line_.empty()) {
    throw NotYet(need + ", and " + first_in_line_ + " is before it in the line for room in " + data_.root().string());
  }
  promised_ += bytes;
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
    spdlog::info("job={} state=rejected reason={}", job, logging::quoted(reason));
  }
}

void Inbox::keep_waiting(const std::string& job, const std::string& reason, InboxResult& result) {
  ++result.waiting;
  std::string& logged = waiting_[job];
  if (logged != reason) {
    logged = reason;
    store_.note_waiting(job, reason);
    spdlog::warn("job={} state=submitted reason={}", job, logging::quoted(reason));
  }
}

}  // namespace reelfarm::coordinator

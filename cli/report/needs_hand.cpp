#include "cli/report/needs_hand.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "coordinator/why/group_bar.hpp"

namespace reelfarm::cli {
namespace {

using queue::JobState;

// A coordinator decides within a second; a job that waits longer waits for something.
constexpr std::chrono::seconds kPatience{60};

bool some_group_may_take(const queue::JobRecord& job, const std::vector<queue::GroupRecord>& groups) {
  const std::vector<why::GroupBar> bars = why::bars_of(groups, job, {});
  return std::any_of(bars.begin(), bars.end(), [](why::GroupBar bar) {
    return bar == why::GroupBar::none || bar == why::GroupBar::busy || bar == why::GroupBar::starting;
  });
}

/// A window may be meant to be black, and is more often a sign that something is wrong with its weights.
bool is_black(const queue::TaskRecord& task) {
  if (task.spec.kind != queue::TaskKind::window || task.state != queue::TaskState::done) return false;
  const auto metrics = nlohmann::json::parse(task.metrics, nullptr, /*allow_exceptions=*/false);
  if (!metrics.is_object()) return false;
  const auto black = metrics.find("black_frames");
  return black != metrics.end() && black->is_number_integer() && task.artifact.frames > 0 &&
         black->get<std::int64_t>() >= task.artifact.frames;
}

bool some_stitcher_is_there(const NightRecords& records) {
  return std::any_of(records.stitchers.begin(), records.stitchers.end(),
                     [](const queue::StitcherRecord& stitcher) { return !stitcher.gone && stitcher.note.empty(); });
}

bool has_ended_badly(const NightRecords& records, const std::string& job) {
  const auto found = std::find_if(records.jobs.begin(), records.jobs.end(),
                                  [&](const queue::JobRecord& record) { return record.id == job; });
  return found == records.jobs.end() || found->state == JobState::failed || found->state == JobState::cancelled;
}

std::string hand_for(const queue::JobRecord& job, const NightRecords& records) {
  switch (job.state) {
    case JobState::failed:
      if (job.finished < records.since) return "";
      return "failed: " + job.error.message + " (reelfarm why, retry)";
    case JobState::submitted:
      if (records.now - job.submitted < kPatience) return "";
      return job.waiting.empty() ? "no coordinator has accepted it (reelfarm why, doctor)" : "waits: " + job.waiting;
    case JobState::held:
      if (!has_ended_badly(records, job.spec.after)) return "";
      return "waits for " + job.spec.after + ", which will not be done (reelfarm resume, cancel)";
    case JobState::queued:
    case JobState::running:
      if (!some_group_may_take(job, records.groups)) {
        return "no group that is there may take its windows (reelfarm why)";
      }
      return some_stitcher_is_there(records) ? "" : "no stitcher is running: it will not end (reelfarm doctor)";
    case JobState::paused:
    case JobState::done:
    case JobState::cancelled:
      return "";
  }
  return "";
}

}  // namespace

std::vector<NeedsHand> what_needs_a_hand(const NightRecords& records) {
  std::vector<NeedsHand> list;
  for (const queue::JobRecord& job : records.jobs) {
    if (std::string what = hand_for(job, records); !what.empty()) list.push_back({job.id, std::move(what)});
  }
  for (const queue::TaskRecord& task : records.tasks) {
    if (task.finished < records.since || !is_black(task)) continue;
    list.push_back({task.spec.job, "every frame of window " + std::to_string(task.spec.window) + " is black"});
  }
  std::set<std::string> named;
  for (const queue::Event& event : records.events) {
    if (event.type != "blocklisted" || !named.insert(event.text + " " + event.job).second) continue;
    list.push_back({event.text, "crashed windows of " + event.job + " too often: the job passes this host by"});
  }
  for (const queue::GroupRecord& group : records.groups) {
    if (group.state == queue::GroupState::failed) list.push_back({group.id, "has failed: " + group.note});
    if (group.state == queue::GroupState::gone && group.last_seen >= records.since) {
      list.push_back({group.id, "of host " + group.host + " is gone without a word"});
    }
  }
  for (const queue::StitcherRecord& stitcher : records.stitchers) {
    if (stitcher.gone && stitcher.last_seen >= records.since) {
      list.push_back({stitcher.id, "of host " + stitcher.host + " is gone without a word"});
    }
  }
  for (const queue::DeadLetter& letter : records.dead_letters) {
    if (letter.time >= records.since) list.push_back({letter.subject, "could not be read: " + letter.reason});
  }
  return list;
}

}  // namespace reelfarm::cli

#include "coordinator/why/reasons.hpp"

#include <algorithm>

#include "coordinator/text.hpp"

namespace reelfarm::why {

using coordinator::bytes_text;

namespace {

using queue::TaskKind;
using queue::TaskRecord;
using queue::TaskState;

Reason about(ReasonCode code, const TaskRecord& task) {
  Reason reason;
  reason.code = code;
  reason.kind = task.spec.kind;
  reason.window = task.spec.window;
  reason.task = task.spec.id;
  reason.owner = task.owner;
  reason.host = task.host;
  reason.detail = task.error;
  return reason;
}

/// Of a task that was given up for it, at its last step.
std::int64_t times_broken_off(const TaskRecord& task) {
  return task.error_class == "lost" ? task.losses : task.crashes;
}

Reason ended(const Facts& facts) {
  const queue::JobRecord& job = facts.job;
  Reason reason;
  const auto guilty = std::find_if(facts.tasks.begin(), facts.tasks.end(),
                                   [&](const TaskRecord& task) { return task.spec.id == job.error.task; });
  if (!job.error.task.empty() && guilty != facts.tasks.end()) {
    reason = about(ReasonCode::failed, *guilty);
    reason.count = times_broken_off(*guilty);
  }
  reason.detail = job.error.message;
  reason.since = job.finished;
  if (job.state == queue::JobState::done) {
    reason.code = ReasonCode::done;
    reason.detail = job.output;
  } else if (job.state == queue::JobState::cancelled) {
    reason.code = ReasonCode::cancelled;
  } else if (job.error.error_class == "rejected") {
    reason.code = ReasonCode::rejected;
  } else {
    reason.code = job.error.error_class == "poison" ? ReasonCode::poison : ReasonCode::failed;
  }
  return reason;
}

Reason submitted(const Facts& facts) {
  Reason reason;
  reason.code = ReasonCode::submitted;
  reason.detail = facts.job.waiting;
  reason.since = facts.job.submitted;
  return reason;
}

Reason held(const Facts& facts) {
  Reason reason;
  reason.code = ReasonCode::held;
  reason.job = facts.job.spec.after;
  reason.detail = facts.after ? std::string(to_string(facts.after->state)) : std::string();
  return reason;
}

Reason paused(const Facts& facts) {
  Reason reason;
  reason.code = ReasonCode::paused;
  reason.since = facts.paused.value_or(queue::ServerTime{});
  return reason;
}

Reason leased(const Facts& facts, const TaskRecord& task) {
  const bool over = task.lease_expires != queue::ServerTime{} && task.lease_expires < facts.now;
  Reason reason = about(over ? ReasonCode::lease_ran_out : ReasonCode::running, task);
  reason.until = task.lease_expires;
  if (over) return reason;
  reason.since = task.claimed;
  reason.detail = task.progress.phase;
  reason.count = task.progress.step;
  reason.limit = task.progress.steps;
  return reason;
}

Reason resting(const Facts& facts, const TaskRecord& task) {
  Reason reason = about(ReasonCode::resting, task);
  if (task.error_class == "lost") {
    reason.count = task.losses;
    reason.limit = facts.retry.max_losses;
  } else {
    const bool crashed = task.crashes > 0;
    reason.count = crashed ? task.crashes : task.failures;
    reason.limit = crashed ? facts.retry.max_crashes : facts.retry.max_failures;
  }
  reason.until = task.not_before;
  return reason;
}

Reason farm_paused(const queue::FarmPause& pause, const TaskRecord& task) {
  Reason reason = about(ReasonCode::farm_paused, task);
  reason.detail = pause.by;
  reason.since = pause.since;
  return reason;
}

Reason disk_full(const queue::DiskState& disk, const TaskRecord& task) {
  Reason reason = about(ReasonCode::disk_full, task);
  reason.detail = bytes_text(disk.free) + " of " + bytes_text(disk.capacity);
  reason.count = static_cast<std::int64_t>(disk.high_water);
  reason.since = disk.measured;
  return reason;
}

/// Higher priority first, then submit order: what claims go by.
bool goes_before(const queue::JobRecord& other, const queue::JobRecord& job) {
  return other.priority != job.priority ? other.priority > job.priority : other.sequence < job.sequence;
}

void add_jobs_first(const Facts& facts, std::vector<Reason>& reasons) {
  Reason reason;
  reason.code = ReasonCode::jobs_first;
  for (const queue::JobRecord& other : facts.others) {
    const bool rival =
        other.spec.bundle_hash == facts.job.spec.bundle_hash && !other.paused && other.hold.empty() &&
        (other.fingerprint == facts.job.fingerprint || other.fingerprint.empty() || facts.job.fingerprint.empty());
    if (!rival || !goes_before(other, facts.job)) continue;
    ++reason.count;
    if (other.priority > facts.job.priority) ++reason.limit;
  }
  if (reason.count > 0) reasons.push_back(reason);
}

void add_groups(const Facts& facts, const TaskRecord& task, std::vector<Reason>& reasons) {
  std::vector<Reason> bars;
  std::int64_t busy = 0;
  std::int64_t able = 0;
  const std::vector<GroupBar> found = bars_of(facts.groups, facts.job, facts.host_crashes);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const queue::GroupRecord& group = facts.groups[i];
    Reason reason = about(ReasonCode::group, task);
    reason.owner = group.id;
    reason.host = group.host;
    reason.bar = found[i];
    reason.since = group.last_seen;
    switch (reason.bar) {
      case GroupBar::other_bundle:
        reason.detail = group.bundle;
        break;
      case GroupBar::other_fingerprint:
        reason.detail = group.fingerprint;
        break;
      case GroupBar::other_dtype:
        reason.detail = group.dtype;
        reason.wanted = facts.job.spec.required_dtype();
        break;
      case GroupBar::busy:
        reason.detail = group.tasks.front();
        break;
      default:
        reason.detail = group.note;
    }
    busy += reason.bar == GroupBar::busy ? 1 : 0;
    able += reason.bar == GroupBar::busy || reason.bar == GroupBar::none ? 1 : 0;
    bars.push_back(reason);
  }
  if (able == 0) {
    Reason reason = about(ReasonCode::no_groups, task);
    reason.count = static_cast<std::int64_t>(facts.groups.size());
    reason.detail = facts.job.spec.bundle;
    reasons.push_back(reason);
  } else if (busy == able) {
    Reason reason = about(ReasonCode::groups_busy, task);
    reason.count = busy;
    reasons.push_back(reason);
    add_jobs_first(facts, reasons);
  }
  // What could take it stands before what never will.
  std::stable_sort(bars.begin(), bars.end(), [](const Reason& a, const Reason& b) {
    return (a.bar == GroupBar::none) > (b.bar == GroupBar::none);
  });
  reasons.insert(reasons.end(), bars.begin(), bars.end());
}

/// A chain waits link by link, so the first link stands for the rest.
void add_waiting(const Facts& facts, std::vector<Reason>& reasons) {
  Reason reason;
  for (const TaskRecord& task : facts.tasks) {
    if (task.state != TaskState::waiting || task.spec.kind == TaskKind::stitch) continue;
    if (reason.count == 0) reason = about(ReasonCode::dependency, task);
    ++reason.count;
  }
  if (reason.count > 0) reasons.push_back(reason);
}

void add_stitch(const Facts& facts, const TaskRecord& task, std::vector<Reason>& reasons) {
  Reason reason = about(ReasonCode::no_stitcher, task);
  for (const queue::StitcherRecord& stitcher : facts.stitchers) {
    if (stitcher.gone) {
      if (reason.code == ReasonCode::no_stitcher) reason.since = std::max(reason.since, stitcher.last_seen);
      continue;
    }
    if (!stitcher.note.empty()) {
      reason.detail = stitcher.id + " (host " + stitcher.host + "): " + stitcher.note;
      continue;
    }
    ++reason.count;
    // Beyond those it follows it takes one whose windows are all there.
    const bool has_room = static_cast<int>(stitcher.tasks.size()) <= stitcher.follow;
    if (reason.code != ReasonCode::stitcher) {
      reason.code = has_room ? ReasonCode::stitcher : ReasonCode::stitchers_busy;
      reason.owner = stitcher.id;
      reason.host = stitcher.host;
    }
  }
  if (reason.count > 0) {
    reason.detail.clear();
    reason.since = {};
  }
  reasons.push_back(reason);
}

void add_tasks(const Facts& facts, std::vector<Reason>& reasons) {
  const bool stopped = facts.job.paused || !facts.job.hold.empty();
  for (const TaskRecord& task : facts.tasks) {
    if (task.state == TaskState::leased) reasons.push_back(leased(facts, task));
  }
  for (const TaskRecord& task : facts.tasks) {
    if (task.state != TaskState::ready) continue;
    // A task that gives way for a moment has no error: only one that crashed, was lost or failed rests.
    if (task.not_before > facts.now && task.crashes + task.losses + task.failures > 0) {
      reasons.push_back(resting(facts, task));
    } else if (task.spec.kind == TaskKind::stitch) {
      add_stitch(facts, task, reasons);
    } else if (!stopped && facts.farm_pause) {
      reasons.push_back(farm_paused(*facts.farm_pause, task));
    } else if (!stopped && facts.disk && facts.disk->full) {
      reasons.push_back(disk_full(*facts.disk, task));
    } else if (!stopped) {
      add_groups(facts, task, reasons);
    }
  }
  add_waiting(facts, reasons);
}

}  // namespace

std::vector<Reason> reasons_for(const Facts& facts) {
  std::vector<Reason> reasons;
  if (queue::is_terminal(facts.job.state)) {
    reasons.push_back(ended(facts));
    if (!facts.job.closed && facts.job.state != queue::JobState::done) add_tasks(facts, reasons);
    return reasons;
  }
  if (facts.job.state == queue::JobState::submitted) return {submitted(facts)};
  if (!facts.job.hold.empty()) reasons.push_back(held(facts));
  if (facts.job.paused) reasons.push_back(paused(facts));
  add_tasks(facts, reasons);
  return reasons;
}

}  // namespace reelfarm::why

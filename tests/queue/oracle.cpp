#include "tests/queue/oracle.hpp"

#include <algorithm>
#include <tuple>

namespace reelfarm::queue::test {

void Oracle::submit(const std::string& id, std::int64_t sequence) {
  Job job;
  job.id = id;
  job.sequence = sequence;
  jobs[id] = job;
}

bool Oracle::accept(const std::string& id, const Plan& plan) {
  Job& job = jobs.at(id);
  if (job.accepted) return true;
  if (job.state != JobState::submitted) return false;
  job.accepted = true;
  job.priority = plan.spec.priority;
  job.after = plan.spec.after;
  job.dtype = plan.spec.required_dtype();
  job.fingerprint = plan.fingerprint;
  job.bytes_needed = plan.bytes_needed;
  const bool whole = plan.finished.size() == plan.tasks.size();
  if (const auto after = jobs.find(job.after); !whole && after != jobs.end() && after->second.state != JobState::done) {
    job.held = true;
    after->second.followers.insert(id);
  }
  for (const TaskSpec& spec : plan.tasks) {
    Task task;
    task.spec = spec;
    if (const auto found = plan.finished.find(spec.id); found != plan.finished.end()) {
      task.state = TaskState::done;
      task.digest = found->second.digest;
      task.finished = now;
      if (found->second.tail) task.tail = found->second.tail->sha256;
    }
    job.tasks.push_back(task);
  }
  job.state = live_state(job);
  settle(job);
  if (whole) over(job, JobState::done);
  close(job);
  return true;
}

bool Oracle::met(const Job& job, const Task& task) const {
  return std::all_of(task.spec.depends.begin(), task.spec.depends.end(), [&](const Dependency& dependency) {
    const auto other = std::find_if(job.tasks.begin(), job.tasks.end(),
                                    [&](const Task& candidate) { return candidate.spec.id == dependency.task; });
    return other->state == TaskState::done || (dependency.on == DependencyOn::tail && !other->tail.empty());
  });
}

void Oracle::settle(Job& job) {
  for (Task& task : job.tasks) {
    if (task.state == TaskState::waiting && met(job, task)) rest(task, 0);
  }
}

void Oracle::rest(Task& task, std::int64_t delay) {
  task.state = TaskState::ready;
  task.not_before = delay > 0 ? now + delay : 0;
}

void Oracle::rest_again(const Job& job, Task& task, std::int64_t delay) {
  if (met(job, task))
    rest(task, delay);
  else
    task.state = TaskState::waiting;
}

void Oracle::end(Task& task, TaskState state, const std::string& verb) {
  task.state = state;
  task.ended = verb;
  task.ended_token = task.token;
}

const Oracle::Task* Oracle::next(const ClaimFilter& filter) {
  const Task* best = nullptr;
  std::tuple<int, std::int64_t, std::string> best_rank;
  for (auto& [id, job] : jobs) {
    for (Task& task : job.tasks) {
      if (task.state != TaskState::ready) continue;
      if (task.not_before != 0 && task.not_before <= now) task.not_before = 0;
      if (task.not_before != 0) continue;
      if (std::find(filter.kinds.begin(), filter.kinds.end(), task.spec.kind) == filter.kinds.end()) continue;
      if (is_render(task)) {
        if (disk_full || farm_paused || job.paused || job.held || task.spec.bundle_hash != filter.bundle_hash) continue;
        const bool bound = !job.mix && !job.fingerprint.empty();
        if (bound && job.fingerprint != filter.fingerprint) continue;
        if (!bound && !job.dtype.empty() && job.dtype != filter.dtype) continue;
        if (passed_by(job, task, filter)) continue;
      }
      const std::tuple rank(-job.priority, job.sequence, task.spec.id);
      if (!best || rank < best_rank) {
        best = &task;
        best_rank = rank;
      }
    }
  }
  return best;
}

void Oracle::register_group(const GroupRecord& group) {
  GroupRecord& known = groups[group.id] = group;
  known.last_seen = ServerTime(std::chrono::milliseconds(now));
}

std::uint64_t Oracle::reserved(const Job& job) {
  if (!job.accepted || is_terminal(job.state)) return 0;
  std::uint64_t windows = 0;
  std::uint64_t open = 0;
  for (const Task& task : job.tasks) {
    if (task.spec.kind != TaskKind::window) continue;
    ++windows;
    if (task.state != TaskState::done) ++open;
  }
  return job.bytes_needed * open / windows;
}

bool Oracle::passed_by(const Job& job, const Task& task, const ClaimFilter& filter) const {
  const auto listed = [&](const std::string& host) {
    const auto found = job.host_crashes.find(host);
    return found != job.host_crashes.end() && found->second >= options_.retry.max_host_crashes;
  };
  if (!listed(filter.host)) return false;
  return std::any_of(groups.begin(), groups.end(), [&](const auto& entry) {
    const GroupRecord& group = entry.second;
    const auto silence = std::chrono::milliseconds(now) - group.last_seen.time_since_epoch();
    const bool live = group.state == GroupState::idle && silence <= options_.group_timeout;
    const bool bound = !job.mix && !job.fingerprint.empty();
    const bool fits = group.bundle_hash == task.spec.bundle_hash &&
                      (bound ? group.fingerprint == job.fingerprint : job.dtype.empty() || group.dtype == job.dtype);
    return live && fits && !listed(group.host);
  });
}

void Oracle::crashed(Job& job, const Task& task) {
  if (!is_render(task)) return;
  const auto last = job.crashed.find(task.token.owner);
  // A group that dies loses all that it holds at once: that is one crash.
  if (last != job.crashed.end() && task.claim <= last->second) return;
  ++job.host_crashes[task.host];
  job.crashed[task.token.owner] = claims_;
}

void Oracle::grant(const FencingToken& token, const ClaimFilter& filter) {
  Job& job = jobs.at(token.task.substr(0, token.task.rfind('.')));
  for (Task& task : job.tasks) {
    if (task.spec.id != token.task) continue;
    task.state = TaskState::leased;
    task.token = token;
    task.claim = ++claims_;
    task.host = filter.host;
    task.not_before = 0;
    task.step = 0;
    extend(task);
    if (is_render(task) && job.fingerprint.empty()) job.fingerprint = filter.fingerprint;
  }
  job.started = true;
  if (job.state == JobState::queued) job.state = JobState::running;
}

}  // namespace reelfarm::queue::test

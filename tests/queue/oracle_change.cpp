// How a job ends, and what operators do to one.
#include <algorithm>

#include "tests/queue/oracle.hpp"

namespace reelfarm::queue::test {

void Oracle::reindex(Job& job) {
  for (Task& task : job.tasks) {
    if (task.state == TaskState::ready && task.not_before <= now) task.not_before = 0;
  }
}

JobState Oracle::live_state(const Job& job) {
  if (job.paused) return JobState::paused;
  if (job.held) return JobState::held;
  return job.started ? JobState::running : JobState::queued;
}

void Oracle::over(Job& job, JobState state) {
  job.state = state;
  if (state != JobState::done) return;
  for (const std::string& id : job.followers) {
    const auto follower = jobs.find(id);
    if (follower == jobs.end() || !follower->second.held || is_terminal(follower->second.state)) continue;
    follower->second.held = false;
    follower->second.state = live_state(follower->second);
  }
  job.followers.clear();
}

void Oracle::abandon(Job& job, JobState state) {
  over(job, state);
  int leading = 0;
  bool unbroken = true;
  Task* stitch = nullptr;
  for (Task& task : job.tasks) {
    if (!is_render(task)) {
      stitch = &task;
      continue;
    }
    if (task.state == TaskState::waiting || task.state == TaskState::ready) task.state = TaskState::cancelled;
    if (task.spec.kind != TaskKind::window) continue;
    unbroken = unbroken && task.state == TaskState::done;
    if (unbroken) ++leading;
  }
  if (stitch && !is_terminal(stitch->state)) {
    if (leading > 0) {
      stitch->partial = true;
      stitch->window_limit = leading;
      job.partial = true;
    } else if (stitch->state != TaskState::leased) {
      stitch->state = TaskState::cancelled;
    }
  }
  close(job);
}

void Oracle::close(Job& job) {
  if (!is_terminal(job.state)) return;
  job.closed =
      std::none_of(job.tasks.begin(), job.tasks.end(), [](const Task& task) { return !is_terminal(task.state); });
}

Oracle::Job* Oracle::live(const std::string& id, ChangeCode& code) {
  const auto found = jobs.find(id);
  code = found == jobs.end() ? ChangeCode::not_found : ChangeCode::refused;
  if (found == jobs.end() || !found->second.accepted || is_terminal(found->second.state)) return nullptr;
  code = ChangeCode::ok;
  return &found->second;
}

ChangeCode Oracle::cancel(const std::string& id) {
  const auto found = jobs.find(id);
  if (found == jobs.end()) return ChangeCode::not_found;
  Job& job = found->second;
  if (job.state == JobState::cancelled) return ChangeCode::unchanged;
  if (is_terminal(job.state)) return ChangeCode::refused;
  abandon(job, JobState::cancelled);
  return ChangeCode::ok;
}

ChangeCode Oracle::pause(const std::string& id) {
  ChangeCode code = ChangeCode::ok;
  Job* job = live(id, code);
  if (!job) return code;
  if (job->paused) return ChangeCode::unchanged;
  job->paused = true;
  job->state = JobState::paused;
  for (Task& task : job->tasks) {
    if (is_render(task) && task.state == TaskState::ready && task.not_before <= now) task.not_before = 0;
  }
  return code;
}

ChangeCode Oracle::resume(const std::string& id) {
  const auto found = jobs.find(id);
  if (found != jobs.end() && found->second.state == JobState::submitted) return ChangeCode::unchanged;
  ChangeCode code = ChangeCode::ok;
  Job* job = live(id, code);
  if (!job) return code;
  if (!job->paused && !job->held) return ChangeCode::unchanged;
  job->paused = false;
  job->held = false;
  reindex(*job);
  job->state = live_state(*job);
  return code;
}

ChangeCode Oracle::retry(const std::string& id) {
  const auto found = jobs.find(id);
  if (found == jobs.end()) return ChangeCode::not_found;
  Job& job = found->second;
  if (!job.accepted || (job.state != JobState::failed && job.state != JobState::cancelled)) return ChangeCode::refused;
  if (job.held) {
    const auto after = jobs.find(job.after);
    if (after == jobs.end() || after->second.state == JobState::done) job.held = false;
  }
  job.closed = false;
  job.partial = false;
  job.host_crashes.clear();
  job.crashed.clear();
  job.state = live_state(job);
  for (Task& task : job.tasks) {
    task.crashes = 0;
    task.losses = 0;
    task.failures = 0;
    bool again =
        task.state == TaskState::failed || task.state == TaskState::poison || task.state == TaskState::cancelled;
    if (!is_render(task)) {
      task.partial = false;
      task.window_limit = 0;
      again = again || task.state == TaskState::done || task.state == TaskState::leased;
    }
    if (!again) continue;
    if (task.state == TaskState::leased) end(task, TaskState::waiting, "retry");
    task.state = TaskState::waiting;
    task.digest.clear();
  }
  settle(job);
  return ChangeCode::ok;
}

ChangeCode Oracle::set_priority(const std::string& id, int priority) {
  ChangeCode code = ChangeCode::ok;
  Job* job = live(id, code);
  if (!job) return code;
  if (job->priority == priority) return ChangeCode::unchanged;
  job->priority = priority;
  reindex(*job);
  return code;
}

ChangeCode Oracle::allow_mix(const std::string& id, bool allow) {
  ChangeCode code = ChangeCode::ok;
  Job* job = live(id, code);
  if (!job) return code;
  if (job->mix == allow) return ChangeCode::unchanged;
  job->mix = allow;
  reindex(*job);
  return code;
}

ChangeCode Oracle::forget(const std::string& id) {
  if (removing.contains(id)) return ChangeCode::unchanged;
  const auto found = jobs.find(id);
  if (found == jobs.end()) return ChangeCode::not_found;
  if (!is_terminal(found->second.state) || !found->second.closed) return ChangeCode::refused;
  jobs.erase(found);
  removing.insert(id);
  return ChangeCode::ok;
}

}  // namespace reelfarm::queue::test

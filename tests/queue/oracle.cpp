#include "tests/queue/oracle.hpp"

#include <algorithm>
#include <tuple>

namespace reelfarm::queue::test {
namespace {

bool is_render(const Oracle::Task& task) {
  return task.spec.kind != TaskKind::stitch;
}

bool is_open(TaskState state) {
  return !is_terminal(state);
}

}  // namespace

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
        if (disk_full || job.paused || job.held || task.spec.bundle_hash != filter.bundle_hash) continue;
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
  if (is_render(task)) ++job.host_crashes[task.host];
}

void Oracle::grant(const FencingToken& token, const ClaimFilter& filter) {
  Job& job = jobs.at(token.task.substr(0, token.task.rfind('.')));
  for (Task& task : job.tasks) {
    if (task.spec.id != token.task) continue;
    task.state = TaskState::leased;
    task.token = token;
    task.host = filter.host;
    task.not_before = 0;
    task.step = 0;
    extend(task);
    if (is_render(task) && job.fingerprint.empty()) job.fingerprint = filter.fingerprint;
  }
  job.started = true;
  if (job.state == JobState::queued) job.state = JobState::running;
}

Oracle::Place Oracle::fence(const FencingToken& token) {
  const auto found = jobs.find(token.task.substr(0, token.task.rfind('.')));
  if (found == jobs.end()) return {};
  for (Task& task : found->second.tasks) {
    if (task.spec.id != token.task) continue;
    Place place{&found->second, &task, ReplyCode::ok};
    if (task.state != TaskState::leased || !(task.token == token)) {
      place.code = ReplyCode::stale;
    } else if (is_render(task)) {
      if (is_terminal(found->second.state))
        place.code = ReplyCode::cancelled;
      else if (found->second.paused)
        place.code = ReplyCode::paused;
    }
    return place;
  }
  return {};
}

bool Oracle::repeated(const Place& place, const FencingToken& token, const std::string& verb) {
  return place.code == ReplyCode::stale && place.task->ended_token == token && place.task->ended == verb;
}

ReplyCode Oracle::renew(const FencingToken& token) {
  const Place place = fence(token);
  if (place.code != ReplyCode::gone && place.code != ReplyCode::stale) extend(*place.task);
  return place.code;
}

ReplyCode Oracle::tick(const FencingToken& token, int step) {
  const Place place = fence(token);
  if (place.code == ReplyCode::gone || place.code == ReplyCode::stale) return place.code;
  Task& task = *place.task;
  extend(task);
  task.step = std::max(task.step, step);
  if (task.step > task.step_reached) {
    task.step_reached = task.step;
    task.crashes = 0;
  }
  return place.code;
}

std::optional<ReplyCode> Oracle::tail(const FencingToken& token, const std::string& sha256) {
  const Place place = fence(token);
  if (place.code == ReplyCode::gone || place.code == ReplyCode::stale) return place.code;
  if (place.task->spec.kind != TaskKind::window) return std::nullopt;
  extend(*place.task);
  if (place.code == ReplyCode::cancelled) return place.code;
  if (place.task->tail.empty()) place.task->tail = sha256;
  settle(*place.job);
  return place.code;
}

std::optional<ReplyCode> Oracle::finish(const FencingToken& token, const FinishReport& report) {
  const Place place = fence(token);
  if (place.code == ReplyCode::gone) return place.code;
  if (place.code == ReplyCode::stale) {
    const bool again =
        repeated(place, token, "finish") && place.task->state == TaskState::done && place.task->digest == report.digest;
    return again ? ReplyCode::ok : ReplyCode::stale;
  }
  Task& task = *place.task;
  Job& job = *place.job;
  if (place.code == ReplyCode::cancelled) {
    end(task, TaskState::cancelled, "finish");
    close(job);
    return place.code;
  }
  if (!is_render(task) && !task.partial) {
    for (const Task& other : job.tasks) {
      if (is_render(other) && other.state != TaskState::done) return std::nullopt;
    }
  }
  end(task, TaskState::done, "finish");
  task.digest = report.digest;
  if (report.tail && task.tail.empty()) task.tail = report.tail->sha256;
  if (is_render(task)) {
    settle(job);
  } else {
    if (!is_terminal(job.state)) over(job, JobState::done);
    close(job);
  }
  return ReplyCode::ok;
}

bool Oracle::count(Job& job, Task& task, int& counter, int limit, TaskState final, const std::string& verb) {
  ++counter;
  if (counter >= limit) {
    end(task, final, verb);
    if (is_terminal(job.state))
      close(job);
    else
      abandon(job, JobState::failed);
    return true;
  }
  end(task, TaskState::ready, verb);
  std::int64_t delay = options_.retry.backoff_base.count();
  for (int i = 1; i < counter; ++i) delay *= 2;
  rest(task, std::min<std::int64_t>(delay, options_.retry.backoff_cap.count()));
  return false;
}

ReplyCode Oracle::fail(const FencingToken& token, FailureClass failure) {
  const Place place = fence(token);
  if (place.code == ReplyCode::gone) return place.code;
  if (place.code == ReplyCode::stale) return repeated(place, token, "fail") ? ReplyCode::ok : ReplyCode::stale;
  Task& task = *place.task;
  Job& job = *place.job;
  if (place.code == ReplyCode::cancelled) {
    end(task, TaskState::cancelled, "fail");
    close(job);
    return place.code;
  }
  if (failure == FailureClass::data) {
    end(task, TaskState::failed, "fail");
    if (is_terminal(job.state))
      close(job);
    else
      abandon(job, JobState::failed);
  } else if (failure == FailureClass::crash || failure == FailureClass::hang) {
    crashed(job, task);
    count(job, task, task.crashes, options_.retry.max_crashes, TaskState::poison, "fail");
  } else {
    count(job, task, task.failures, options_.retry.max_failures, TaskState::failed, "fail");
  }
  return ReplyCode::ok;
}

ReplyCode Oracle::release(const FencingToken& token, bool preempted, std::int64_t delay) {
  const Place place = fence(token);
  if (place.code == ReplyCode::gone) return place.code;
  if (place.code == ReplyCode::stale) return repeated(place, token, "release") ? ReplyCode::ok : ReplyCode::stale;
  if (place.code == ReplyCode::cancelled) {
    end(*place.task, TaskState::cancelled, "release");
    close(*place.job);
    return place.code;
  }
  end(*place.task, TaskState::ready, "release");
  if (preempted) ++place.task->preemptions;
  rest(*place.task, delay);
  return ReplyCode::ok;
}

ReapResult Oracle::reap(std::int64_t shift) {
  ReapResult result;
  result.clock_jump = std::chrono::milliseconds(shift);
  const std::int64_t term = options_.lease.count();
  std::vector<std::pair<std::int64_t, std::string>> expired;
  for (auto& [id, job] : jobs) {
    for (Task& task : job.tasks) {
      if (task.state == TaskState::leased && shift != 0) {
        if (shift > 0 || task.expires > now + term) task.expires = std::min(task.expires + shift, now + term);
      }
      if (task.state == TaskState::ready && task.not_before != 0 && shift != 0) {
        task.not_before = std::min(task.not_before + shift, now + options_.retry.backoff_cap.count());
      }
      if (task.state == TaskState::leased && task.expires <= now) expired.emplace_back(task.expires, task.spec.id);
    }
  }
  std::sort(expired.begin(), expired.end());
  for (const auto& [when, id] : expired) {
    Job& job = jobs.at(id.substr(0, id.rfind('.')));
    Task& task = *std::find_if(job.tasks.begin(), job.tasks.end(), [&](const Task& t) { return t.spec.id == id; });
    if (is_render(task) && is_terminal(job.state)) {
      end(task, TaskState::cancelled, "reap");
      close(job);
      ++result.cancelled;
      continue;
    }
    crashed(job, task);
    const bool poisoned = count(job, task, task.crashes, options_.retry.max_crashes, TaskState::poison, "reap");
    ++(poisoned ? result.poisoned : result.requeued);
  }
  return result;
}

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
  if (stitch && is_open(stitch->state)) {
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
  job.closed = std::none_of(job.tasks.begin(), job.tasks.end(), [](const Task& task) { return is_open(task.state); });
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
  job.state = live_state(job);
  for (Task& task : job.tasks) {
    task.crashes = 0;
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
  const auto found = jobs.find(id);
  if (found == jobs.end()) return ChangeCode::not_found;
  if (!is_terminal(found->second.state) || !found->second.closed) return ChangeCode::refused;
  jobs.erase(found);
  return ChangeCode::ok;
}

}  // namespace reelfarm::queue::test

// What owners do with a lease, and the reaper.
#include <algorithm>

#include "tests/queue/oracle.hpp"

namespace reelfarm::queue::test {

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
      else if (found->second.paused || farm_paused)
        place.code = ReplyCode::paused;
    }
    return place;
  }
  return {};
}

bool Oracle::repeated(const Place& place, const FencingToken& token, const std::string& verb) {
  return place.code == ReplyCode::stale && place.task->ended_token == token && place.task->ended == verb;
}

std::optional<ReplyCode> Oracle::nothing_to_end(const Place& place, const FencingToken& token,
                                                const std::string& verb) {
  if (place.code == ReplyCode::gone) return place.code;
  if (place.code == ReplyCode::stale) return repeated(place, token, verb) ? ReplyCode::ok : ReplyCode::stale;
  if (place.code != ReplyCode::cancelled) return std::nullopt;
  end(*place.task, TaskState::cancelled, verb);
  close(*place.job);
  return place.code;
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
    task.losses = 0;
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
  task.finished = now;
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
  rest_again(job, task, std::min<std::int64_t>(delay, options_.retry.backoff_cap.count()));
  return false;
}

ReplyCode Oracle::fail(const FencingToken& token, FailureClass failure) {
  const Place place = fence(token);
  if (const auto answer = nothing_to_end(place, token, "fail")) return *answer;
  Task& task = *place.task;
  Job& job = *place.job;
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
  if (const auto answer = nothing_to_end(place, token, "release")) return *answer;
  end(*place.task, TaskState::ready, "release");
  if (preempted && place.code != ReplyCode::paused) ++place.task->preemptions;
  rest_again(*place.job, *place.task, delay);
  return ReplyCode::ok;
}

std::optional<ReplyCode> Oracle::reject_input(const FencingToken& token, const std::string& input_id,
                                              const std::string& digest) {
  const Place place = fence(token);
  if (const auto answer = nothing_to_end(place, token, "reject_input")) return answer;
  Task& task = *place.task;
  Job& job = *place.job;
  const auto input =
      std::find_if(job.tasks.begin(), job.tasks.end(), [&](const Task& other) { return other.spec.id == input_id; });
  if (input == job.tasks.end() || input_id == task.spec.id) return std::nullopt;
  if (input->state != TaskState::done || input->digest != digest ||
      now - input->finished < options_.retry.input_settle.count()) {
    end(task, TaskState::ready, "reject_input");
    rest_again(job, task, std::max(options_.retry.input_settle, options_.retry.backoff_base).count());
    return place.code;
  }
  end(task, TaskState::waiting, "reject_input");
  input->digest.clear();
  input->tail.clear();
  input->rejected = true;
  if (is_terminal(job.state)) {
    input->state = TaskState::cancelled;
    if (input->spec.window > 0) {
      task.window_limit = input->spec.window;
      rest(task, 0);
    } else {
      task.state = TaskState::cancelled;
      close(job);
    }
    return place.code;
  }
  if (count(job, *input, input->failures, options_.retry.max_failures, TaskState::failed, "reject_input")) {
    return place.code;
  }
  for (Task& other : job.tasks) {
    if (other.state == TaskState::ready && !met(job, other)) other.state = TaskState::waiting;
  }
  rest_again(job, task, 0);
  return place.code;
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
  for (const auto& expiry : expired) {
    const std::string& id = expiry.second;
    Job& job = jobs.at(id.substr(0, id.rfind('.')));
    Task& task = *std::find_if(job.tasks.begin(), job.tasks.end(), [&](const Task& t) { return t.spec.id == id; });
    if (is_render(task) && is_terminal(job.state)) {
      end(task, TaskState::cancelled, "reap");
      close(job);
      ++result.cancelled;
      continue;
    }
    crashed(job, task);
    const bool poisoned = count(job, task, task.losses, options_.retry.max_losses, TaskState::poison, "reap");
    ++(poisoned ? result.poisoned : result.requeued);
  }
  return result;
}

}  // namespace reelfarm::queue::test

#include "coordinator/submission/estimate.hpp"

#include "coordinator/job_view.hpp"

namespace reelfarm::coordinator {
namespace {

constexpr int kJobsLookedAt = 20;

double work_of(const queue::TaskSpec& task) {
  return static_cast<double>(task.render.width) * task.render.height * task.span.num_latents * task.render.steps;
}

const queue::TaskSpec* first_window(const queue::Plan& plan) {
  for (const queue::TaskSpec& task : plan.tasks) {
    if (task.kind == queue::TaskKind::window) return &task;
  }
  return nullptr;
}

struct Mean {
  double sum = 0;
  int count = 0;

  void add(double value) {
    sum += value;
    ++count;
  }
};

}  // namespace

std::optional<WindowEstimate> estimate_window(queue::JobStore& store, const queue::Plan& plan) {
  const queue::TaskSpec* wanted = first_window(plan);
  if (!wanted || work_of(*wanted) <= 0) return std::nullopt;
  Mean same;
  Mean scaled;
  queue::JobQuery query;
  query.states = {queue::JobState::done};
  query.limit = kJobsLookedAt;
  for (const queue::JobRecord& job : store.list_jobs(query)) {
    if (job.spec.bundle_hash != wanted->bundle_hash) continue;
    for (const queue::TaskRecord& task : store.get_tasks(job.id)) {
      if (task.spec.kind != queue::TaskKind::window || task.state != queue::TaskState::done) continue;
      if (task.claimed == queue::ServerTime{}) continue;  // found on the disk after Redis had lost it
      const double work = work_of(task.spec);
      if (work <= 0) continue;
      if (work == work_of(*wanted)) same.add(seconds_held(task, task.finished));
      scaled.add(seconds_held(task, task.finished) * work_of(*wanted) / work);
    }
  }
  const Mean& best = same.count > 0 ? same : scaled;
  if (best.count == 0) return std::nullopt;
  return WindowEstimate{best.sum / best.count, best.count, same.count == 0};
}

}  // namespace reelfarm::coordinator

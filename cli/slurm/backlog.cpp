#include <algorithm>
#include <map>
#include <tuple>

#include "cli/slurm/autoscale.hpp"
#include "coordinator/submission/estimate.hpp"

namespace reelfarm::cli {
namespace {

queue::Plan plan_of(const queue::JobRecord& job, const std::vector<queue::TaskRecord>& tasks) {
  queue::Plan plan;
  plan.spec = job.spec;
  for (const queue::TaskRecord& task : tasks) plan.tasks.push_back(task.spec);
  return plan;
}

std::int64_t windows_to_do(const std::vector<queue::TaskRecord>& tasks) {
  return std::count_if(tasks.begin(), tasks.end(), [](const queue::TaskRecord& task) {
    const bool over = queue::is_terminal(task.state);
    return task.spec.kind != queue::TaskKind::stitch && !over;
  });
}

}  // namespace

Backlog read_backlog(queue::JobStore& store) {
  if (store.farm_pause()) return {};  // nothing would be rendered
  queue::JobQuery query;
  query.states = {queue::JobState::queued, queue::JobState::running};
  Backlog backlog;
  std::map<std::tuple<std::string, std::optional<int>, std::optional<int>, std::optional<int>>, double> window_seconds;
  for (const queue::JobRecord& job : store.list_jobs(query)) {
    if (job.paused || !job.hold.empty()) continue;
    const std::vector<queue::TaskRecord> tasks = store.get_tasks(job.id);
    const std::int64_t windows = windows_to_do(tasks);
    if (windows == 0) continue;
    const auto [seconds, fresh] =
        window_seconds.try_emplace(std::tuple(job.spec.bundle, job.spec.width, job.spec.height, job.spec.steps), 0);
    if (fresh) {
      if (const auto estimate = coordinator::estimate_window(store, plan_of(job, tasks)))
        seconds->second = estimate->seconds;
    }
    ++backlog.chains;
    backlog.windows += windows;
    backlog.seconds += static_cast<double>(windows) * seconds->second;
  }
  return backlog;
}

std::int64_t wanted_groups(const Backlog& backlog, const AutoscaleLimits& limits) {
  if (backlog.windows == 0) return 0;
  std::int64_t wanted = backlog.chains;
  if (backlog.seconds > 0) {
    const double paid = std::max(1.0, backlog.seconds / limits.worth_s);
    wanted = paid < static_cast<double>(wanted) ? static_cast<std::int64_t>(paid) : wanted;
  }
  return std::clamp(wanted, std::max<std::int64_t>(limits.least, std::min<std::int64_t>(1, limits.most)), limits.most);
}

}  // namespace reelfarm::cli

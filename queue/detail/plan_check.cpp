#include "queue/detail/plan_check.hpp"

#include <set>
#include <stdexcept>

namespace reelfarm::queue::detail {
namespace {

[[noreturn]] void refuse(const std::string& job, const std::string& why) {
  throw std::invalid_argument("plan of job " + job + ": " + why);
}

void check_task(const std::string& job, const TaskSpec& task) {
  if (task.job != job || task.id != task_id(job, task.kind, task.window)) {
    refuse(job, "task id \"" + task.id + "\" of job \"" + task.job + "\" is not made by task_id");
  }
  if (task.kind != TaskKind::stitch && task.bundle_hash.empty()) refuse(job, task.id + " has no bundle hash");
  if (task.bundle_hash.find_first_of(": ") != std::string::npos) {
    refuse(job, task.id + " has a bundle hash with a colon or a space");
  }
}

/// Takes away tasks whose dependencies are all gone until nothing is left; what stays is on a cycle.
void check_acyclic(const std::string& job, const Plan& plan) {
  std::set<std::string> done;
  for (bool progress = true; progress;) {
    progress = false;
    for (const TaskSpec& task : plan.tasks) {
      if (done.contains(task.id)) continue;
      bool met = true;
      for (const Dependency& dependency : task.depends) met = met && done.contains(dependency.task);
      if (met) progress = done.insert(task.id).second;
    }
  }
  if (done.size() != plan.tasks.size()) refuse(job, "dependencies form a cycle");
}

void check_finished(const std::string& job, const Plan& plan, const std::map<std::string, std::string>& ids,
                    bool may_be_partial) {
  for (const auto& [id, report] : plan.finished) {
    if (!ids.contains(id)) refuse(job, id + " is finished, but not in the plan");
    if (report.digest.empty()) refuse(job, id + " is finished without a digest");
    if (report.tail && report.tail->sha256.empty()) refuse(job, id + " is finished with a tail that has no sha256");
  }
  for (const TaskSpec& task : plan.tasks) {
    if (!plan.finished.contains(task.id)) continue;
    for (const Dependency& dependency : task.depends) {
      if (!plan.finished.contains(dependency.task)) {
        refuse(job, task.id + " is finished, but " + dependency.task + ", which it depends on, is not");
      }
    }
    if (task.kind == TaskKind::window && plan.fingerprint.empty()) {
      refuse(job, task.id + " is finished, but nothing says by groups of which fingerprint");
    }
    if (task.kind == TaskKind::stitch && !may_be_partial && plan.finished.size() != plan.tasks.size()) {
      refuse(job, "the stitch task is finished, but only " + std::to_string(plan.finished.size()) + " of " +
                      std::to_string(plan.tasks.size()) + " tasks are");
    }
  }
}

}  // namespace

std::map<std::string, std::string> check_plan(const std::string& job, const Plan& plan, bool may_be_partial) {
  std::map<std::string, std::string> dependents;
  int stitches = 0;
  for (const TaskSpec& task : plan.tasks) {
    check_task(job, task);
    if (!dependents.emplace(task.id, "").second) refuse(job, "task " + task.id + " is there twice");
    if (task.kind == TaskKind::stitch) ++stitches;
  }
  if (stitches != 1) refuse(job, std::to_string(stitches) + " stitch tasks, expected one");
  if (plan.spec.priority < -100 || plan.spec.priority > 100) {
    refuse(job, "priority " + std::to_string(plan.spec.priority) + " is outside -100..100");
  }
  for (const TaskSpec& task : plan.tasks) {
    for (const Dependency& dependency : task.depends) {
      const auto found = dependents.find(dependency.task);
      if (found == dependents.end())
        refuse(job, task.id + " depends on " + dependency.task + ", which is not in the plan");
      found->second += (found->second.empty() ? "" : " ") + task.id;
    }
  }
  check_acyclic(job, plan);
  check_finished(job, plan, dependents, may_be_partial);
  return dependents;
}

}  // namespace reelfarm::queue::detail

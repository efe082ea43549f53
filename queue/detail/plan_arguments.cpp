#include "queue/detail/plan_arguments.hpp"

#include <algorithm>
#include <map>
#include <stdexcept>

#include "queue/codec.hpp"
#include "queue/detail/plan_check.hpp"

namespace reelfarm::queue::detail {
namespace {

std::string depends_text(const TaskSpec& task) {
  std::string text;
  for (const Dependency& dependency : task.depends) {
    text += (text.empty() ? "" : " ") + dependency.task + ":" + std::string(to_string(dependency.on));
  }
  return text;
}

/// As enter_tasks of the scripts reads them.
void append_tasks(Arguments& arguments, const Plan& plan, const std::map<std::string, std::string>& dependents) {
  arguments.push_back(std::to_string(plan.tasks.size()));
  for (const TaskSpec& task : plan.tasks) {
    arguments.insert(arguments.end(), {task.id, std::string(to_string(task.kind)), std::to_string(task.window),
                                       encode(task), depends_text(task), dependents.at(task.id), task.bundle_hash});
    const auto found = plan.finished.find(task.id);
    if (found == plan.finished.end()) {
      arguments.insert(arguments.end(), {"", "", "", "", ""});
      continue;
    }
    const FinishReport& report = found->second;
    arguments.insert(arguments.end(), {report.digest, encode(report.artifact), report.tail ? report.tail->sha256 : "",
                                       report.tail ? encode(*report.tail) : "", report.metrics});
  }
}

/// The published video where the plan's stitch task is done already, else "".
std::string output_of(const std::string& job, const Plan& plan) {
  const auto stitch = plan.finished.find(task_id(job, TaskKind::stitch));
  return stitch == plan.finished.end() ? "" : stitch->second.artifact.path;
}

}  // namespace

void append_plan(Arguments& arguments, const std::string& job, const Plan& plan, bool may_be_partial) {
  if (!is_job_id(job)) throw std::invalid_argument("\"" + job + "\" is not a job id");
  const std::map<std::string, std::string> dependents = check_plan(job, plan, may_be_partial);
  const auto windows = std::count_if(plan.tasks.begin(), plan.tasks.end(),
                                     [](const TaskSpec& task) { return task.kind == TaskKind::window; });
  arguments.insert(arguments.end(),
                   {encode(plan.spec), std::to_string(plan.spec.priority), std::to_string(windows),
                    std::to_string(windows - plan.spec.from_window.value_or(0)), std::to_string(plan.bytes_needed),
                    plan.spec.after, plan.spec.required_dtype(), plan.fingerprint, output_of(job, plan),
                    plan.spec.family, std::to_string(plan.spec.take)});
  append_tasks(arguments, plan, dependents);
}

}  // namespace reelfarm::queue::detail

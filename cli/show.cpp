#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/errors.hpp"
#include "cli/farm.hpp"
#include "cli/follow.hpp"
#include "cli/text.hpp"
#include "queue/codec.hpp"

namespace reelfarm::cli {
namespace {

using nlohmann::json;

std::int64_t milliseconds_of(queue::ServerTime time) {
  return time.time_since_epoch().count();
}

json task_json(const queue::TaskRecord& task) {
  json document = {{"spec", queue::to_json(task.spec)},
                   {"state", to_string(task.state)},
                   {"attempt", task.attempt},
                   {"owner", task.owner},
                   {"host", task.host},
                   {"crashes", task.crashes},
                   {"losses", task.losses},
                   {"failures", task.failures},
                   {"preemptions", task.preemptions},
                   {"step_reached", task.step_reached},
                   {"error", task.error},
                   {"started_ms", milliseconds_of(task.started)},
                   {"finished_ms", milliseconds_of(task.finished)}};
  if (!task.artifact.path.empty()) document["artifact"] = queue::to_json(task.artifact);
  if (!task.metrics.empty()) document["metrics"] = json::parse(task.metrics, nullptr, false);
  return document;
}

json whole_job(const coordinator::JobView& view, const std::vector<queue::TaskRecord>& tasks) {
  json document = to_json(view);
  const queue::JobRecord& job = view.job;
  document["asked"] = queue::to_json(job.asked);
  document["spec"] = queue::to_json(job.spec);
  document["priority"] = job.priority;
  document["bytes_needed"] = job.bytes_needed;
  document["fingerprint"] = job.fingerprint;
  document["partial"] = job.partial;
  document["hold"] = job.hold;
  document["submitted_ms"] = milliseconds_of(job.submitted);
  document["accepted_ms"] = milliseconds_of(job.accepted);
  document["started_ms"] = milliseconds_of(job.started);
  document["finished_ms"] = milliseconds_of(job.finished);
  document["tasks"] = json::array();
  for (const queue::TaskRecord& task : tasks) document["tasks"].push_back(task_json(task));
  return document;
}

void print_line(const char* what, const std::string& text) {
  if (!text.empty()) std::printf("  %-12s %s\n", what, text.c_str());
}

void print_value(const std::string& key, const json& value) {
  const bool blank = value.is_null() || (value.is_string() && value.get_ref<const std::string&>().empty()) ||
                     (value.is_array() && value.empty());
  if (blank || key == "schema") return;
  std::printf("    %-15s %s\n", key.c_str(), (value.is_string() ? value.get<std::string>() : value.dump()).c_str());
}

void print_job(const coordinator::JobView& view, const std::vector<queue::TaskRecord>& tasks) {
  const queue::JobRecord& job = view.job;
  std::printf("%s  %s\n", job.id.c_str(), std::string(to_string(job.state)).c_str());
  print_line("submitted", time_text(job.submitted));
  if (job.finished != queue::ServerTime{}) print_line("finished", time_text(job.finished));
  print_line("output", view.output);
  print_line("error", job.error.message);
  print_line("held", job.hold);
  print_line("fingerprint", job.fingerprint);
  if (job.bytes_needed > 0) print_line("disk", "up to " + bytes_text(job.bytes_needed));
  std::printf("  specification\n");
  const json spec = queue::to_json(job.spec);
  for (const auto& [key, value] : spec.items()) print_value(key, value);
  std::printf("  tasks\n");
  for (const queue::TaskRecord& task : tasks) {
    std::printf("    %-20s %-9s attempt %lld  %s%s%s\n", task.spec.id.c_str(),
                std::string(to_string(task.state)).c_str(), static_cast<long long>(task.attempt), task.owner.c_str(),
                task.error.empty() ? "" : "  ", one_line(task.error, 200).c_str());
  }
}

}  // namespace

int run_show(const Arguments& arguments) {
  const queue::DataFolder data = data_folder(arguments);
  queue::JobStore store = connect(arguments, data);
  const coordinator::JobView view = view_of(store, data, arguments.operands()[0]);
  const auto tasks = store.get_tasks(view.job.id);
  if (arguments.flag("json")) {
    std::printf("%s\n", whole_job(view, tasks).dump().c_str());
  } else {
    print_job(view, tasks);
  }
  return kDone;
}

}  // namespace reelfarm::cli

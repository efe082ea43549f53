#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/errors.hpp"
#include "cli/farm.hpp"
#include "cli/follow.hpp"
#include "cli/output_copy.hpp"
#include "cli/progress.hpp"
#include "cli/text.hpp"
#include "coordinator/job_view.hpp"
#include "coordinator/near_match.hpp"

namespace reelfarm::cli {
namespace {

constexpr std::size_t kColumns = 160;

queue::JobState parse_state(const std::string& word) {
  try {
    return queue::job_state_from(word);
  } catch (const queue::CodecError&) {
    const std::vector<std::string> known = {"submitted", "queued", "running", "paused",
                                            "held",      "done",   "failed",  "cancelled"};
    throw BadInput("--state is '" + word + "', which is no state" + coordinator::did_you_mean(word, known));
  }
}

void print_row(const coordinator::JobView& view) {
  const queue::JobRecord& job = view.job;
  const std::string windows =
      view.windows.empty() ? "-" : std::to_string(view.windows_done()) + "/" + std::to_string(view.windows.size());
  const std::string name = job.spec.name.empty() ? one_line(job.spec.prompt, 30) : one_line(job.spec.name, 30);
  const std::string remark = job.error.message.empty() ? view.output : job.error.message;
  std::printf("%-13s  %-9s  %-9s  %-33s  %s\n", job.id.c_str(), std::string(to_string(job.state)).c_str(),
              windows.c_str(), name.c_str(), one_line(remark, kColumns).c_str());
}

void print_in_full(const coordinator::JobView& view) {
  for (const std::string& line : bars(view, -1, kColumns)) std::printf("%s\n", line.c_str());
  if (!view.output.empty()) std::printf("  %s%s\n", view.job.partial ? "partial: " : "", view.output.c_str());
}

std::vector<coordinator::JobView> wanted_views(const Arguments& arguments, queue::JobStore& store,
                                               const queue::DataFolder& data) {
  std::vector<coordinator::JobView> views;
  if (!arguments.operands().empty()) {
    for (const std::string& job : arguments.operands()) views.push_back(view_of(store, data, job));
    return views;
  }
  queue::JobQuery query;
  query.project = arguments.text("project");
  query.limit = static_cast<int>(arguments.integer("limit", 50, 0, 1'000'000));
  if (arguments.has("state")) query.states = {parse_state(arguments.text("state"))};
  const queue::ServerTime now = store.now();
  for (const queue::JobRecord& job : store.list_jobs(query)) {
    views.push_back(coordinator::make_view(job, store.get_tasks(job.id), data, now));
  }
  return views;
}

}  // namespace

int run_status(const Arguments& arguments) {
  if (arguments.has("state")) parse_state(arguments.text("state"));
  const queue::DataFolder data = data_folder(arguments);
  queue::JobStore store = connect(arguments, data);
  const std::vector<coordinator::JobView> views = wanted_views(arguments, store, data);
  if (arguments.flag("json")) {
    for (const coordinator::JobView& view : views) std::printf("%s\n", to_json(view).dump().c_str());
    return kDone;
  }
  say_if_paused(store);
  if (!arguments.operands().empty()) {
    for (const coordinator::JobView& view : views) print_in_full(view);
    return kDone;
  }
  if (views.empty()) {
    std::printf("no jobs\n");
    return kDone;
  }
  std::printf("%-13s  %-9s  %-9s  %-33s  %s\n", "job", "state", "windows", "name", "output");
  for (const coordinator::JobView& view : views) print_row(view);
  return kDone;
}

int run_watch(const Arguments& arguments) {
  const double interval_s = arguments.number("interval", 0.5);
  if (!(interval_s >= 0.05 && interval_s <= 3600)) throw BadInput("--interval must be from 0.05 to 3600 seconds");
  const queue::DataFolder data = data_folder(arguments);
  queue::JobStore store = connect(arguments, data);
  std::vector<std::string> jobs = arguments.operands();
  if (jobs.empty()) {
    for (const queue::JobRecord& job : store.list_jobs({})) {
      if (!queue::is_terminal(job.state)) jobs.push_back(job.id);
    }
    if (jobs.empty()) {
      std::fprintf(stderr, "no job is under way\n");
      return kDone;
    }
  }
  FollowOptions options;
  options.interval = std::chrono::milliseconds(static_cast<std::int64_t>(interval_s * 1000));
  const FollowResult result = follow(store, data, jobs, options);
  if (result.interrupted) return kInterrupted;
  for (const coordinator::JobView& view : result.views) {
    const std::string output = output_of(view, data);
    if (!output.empty()) std::printf("%s%s\n", output.c_str(), view.job.partial ? " (partial)" : "");
  }
  return exit_code_of(result.views);
}

}  // namespace reelfarm::cli

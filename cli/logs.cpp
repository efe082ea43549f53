#include <cstdio>

#include "cli/errors.hpp"
#include "cli/farm.hpp"
#include "cli/follow.hpp"
#include "cli/interrupt.hpp"
#include "cli/text.hpp"
#include "queue/event.hpp"

namespace reelfarm::cli {
namespace {

bool concerns(const queue::Event& event, const std::string& job, const std::string& task) {
  return event.job == job && (task.empty() || event.task == task);
}

void print_event(const queue::Event& event) {
  std::printf("%s  %-10s %s", time_text(event.time).c_str(), event.type.c_str(), event.task.c_str());
  if (event.attempt > 0) std::printf(" attempt=%lld", static_cast<long long>(event.attempt));
  if (event.steps > 0) std::printf(" step=%d/%d", event.step, event.steps);
  if (!event.owner.empty()) std::printf(" owner=%s", event.owner.c_str());
  if (!event.state.empty()) std::printf(" state=%s", event.state.c_str());
  if (!event.text.empty()) std::printf(" \"%s\"", one_line(event.text, 500).c_str());
  std::printf("\n");
}

}  // namespace

int run_logs(const Arguments& arguments) {
  constexpr std::chrono::milliseconds kNoWait{1};
  constexpr std::chrono::milliseconds kLook{300};
  const queue::DataFolder data = data_folder(arguments);
  queue::JobStore store = connect(arguments, data);
  const coordinator::JobView view = view_of(store, data, arguments.operands()[0]);
  std::string task;
  if (arguments.has("window")) {
    const int window = static_cast<int>(arguments.integer("window", 0, 0, 1'000'000));
    if (window >= static_cast<int>(view.windows.size())) {
      throw BadInput("--window is " + std::to_string(window) + ": the job has " + std::to_string(view.windows.size()) +
                     " windows, counted from 0");
    }
    task = queue::task_id(view.job.id, queue::TaskKind::window, window);
  }
  const bool following = arguments.flag("follow");
  const InterruptGuard interrupt;
  queue::EventReader events(store.options(), "0");
  while (!interrupt.interrupted()) {
    // Asked before the events are read, so that the last ones are printed too.
    const auto job = store.get_job(view.job.id);
    const bool over = !following || !job || (queue::is_terminal(job->state) && job->closed);
    const auto found = events.read(over ? kNoWait : kLook);
    for (const queue::Event& event : found) {
      if (concerns(event, view.job.id, task)) print_event(event);
    }
    std::fflush(stdout);
    if (over && found.empty()) return kDone;
  }
  return kInterrupted;
}

}  // namespace reelfarm::cli

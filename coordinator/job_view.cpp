#include "coordinator/job_view.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace reelfarm::coordinator {
namespace {

using queue::TaskState;

// How much of a window's time each phase takes, for bars only: denoising is most of it.
constexpr double kStepsEnd = 0.8;
constexpr double kDecodeEnd = 0.97;
constexpr double kStepsBegin = 0.05;

std::string state_word(TaskState state) {
  switch (state) {
    case TaskState::waiting:
    case TaskState::ready:
      return "queued";
    case TaskState::leased:
      return "running";
    case TaskState::done:
      return "done";
    case TaskState::cancelled:
      return "cancelled";
    case TaskState::failed:
    case TaskState::poison:
    case TaskState::corrupt:
      return "failed";
  }
  return "";
}

std::string detail_of(const queue::TaskRecord& task) {
  switch (task.state) {
    case TaskState::waiting:
      return "waits for the window before";
    case TaskState::poison:
      return "crashed too often";
    case TaskState::corrupt:
      return "its record could not be read";
    case TaskState::leased:
      return task.progress.phase;
    default:
      return "";
  }
}

double fraction_of(const queue::TaskRecord& task, int steps) {
  if (task.state == TaskState::done) return 1;
  if (task.state != TaskState::leased) return 0;
  const queue::Progress& progress = task.progress;
  if (progress.phase == "decode") return kStepsEnd + (kDecodeEnd - kStepsEnd) * progress.fraction;
  if (progress.phase == "write") return kDecodeEnd + (1 - kDecodeEnd) * progress.fraction;
  if (progress.phase == "step" && steps > 0) {
    const double part = (progress.step + progress.fraction) / steps;
    return kStepsBegin + (kStepsEnd - kStepsBegin) * std::clamp(part, 0.0, 1.0);
  }
  return 0;
}

WindowView window_view(const queue::TaskRecord& task, queue::ServerTime now) {
  WindowView view;
  view.index = task.spec.window;
  view.state = state_word(task.state);
  view.detail = detail_of(task);
  view.attempt = task.attempt;
  view.steps = task.spec.render.steps;
  view.step = task.state == TaskState::done ? view.steps : task.progress.step;
  view.phase = task.progress.phase;
  view.fraction = fraction_of(task, view.steps);
  view.seconds = seconds_held(task, now);
  return view;
}

}  // namespace

double seconds_held(const queue::TaskRecord& task, queue::ServerTime now) {
  const bool over = queue::is_terminal(task.state);
  const queue::ServerTime end = over ? task.finished : now;
  // Found on the disk after Redis had lost it: nobody knows who claimed it.
  if ((!over && task.state != TaskState::leased) || task.claimed == queue::ServerTime{}) return 0;
  return std::max(0.0, std::chrono::duration<double>(end - task.claimed).count());
}

int JobView::windows_done() const {
  return static_cast<int>(
      std::count_if(windows.begin(), windows.end(), [](const WindowView& window) { return window.state == "done"; }));
}

JobView make_view(const queue::JobRecord& job, const std::vector<queue::TaskRecord>& tasks,
                  const queue::DataFolder& data, queue::ServerTime now) {
  JobView view;
  view.job = job;
  for (const queue::TaskRecord& task : tasks) {
    if (task.spec.kind == queue::TaskKind::window) view.windows.push_back(window_view(task, now));
    if (task.spec.kind == queue::TaskKind::stitch) {
      view.stitching = task.state == TaskState::leased;
      view.stitched = task.state == TaskState::done ? 1 : task.progress.fraction;
    }
  }
  if (!job.output.empty()) view.output = (data.root() / job.output).string();
  return view;
}

nlohmann::json to_json(const JobView& view) {
  using nlohmann::json;
  json windows = json::array();
  for (const WindowView& window : view.windows) {
    windows.push_back({{"index", window.index},
                       {"state", window.state},
                       {"attempt", window.attempt},
                       {"step", window.step},
                       {"steps", window.steps},
                       {"seconds", std::round(window.seconds * 1000) / 1000}});
  }
  const queue::JobRecord& job = view.job;
  return {{"job", job.id},
          {"state", to_string(job.state)},
          {"name", job.spec.name},
          {"project", job.spec.project},
          {"frames", job.spec.frames ? json(*job.spec.frames) : json(nullptr)},
          {"windows", windows},
          {"output", view.output.empty() ? json(nullptr) : json(view.output)},
          {"error", job.error.message.empty() ? json(nullptr) : json(job.error.message)}};
}

}  // namespace reelfarm::coordinator

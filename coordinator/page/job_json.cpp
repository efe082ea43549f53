#include "coordinator/page/job_json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "queue/codec.hpp"

namespace reelfarm::page {

using nlohmann::json;

namespace {

constexpr double kEnoughToExtrapolate = 0.15;

json time_or_null(queue::ServerTime time) {
  return time == queue::ServerTime{} ? json(nullptr) : json(time.time_since_epoch().count());
}

json text_or_null(const std::string& text) {
  return text.empty() ? json(nullptr) : json(text);
}

const queue::TaskRecord* window_task(const std::vector<queue::TaskRecord>& tasks, int window) {
  const auto found = std::find_if(tasks.begin(), tasks.end(), [&](const queue::TaskRecord& task) {
    return task.spec.kind == queue::TaskKind::window && task.spec.window == window;
  });
  return found == tasks.end() ? nullptr : &*found;
}

json window_json(const coordinator::WindowView& window, const queue::TaskRecord* task) {
  json document = {{"index", window.index},     {"state", window.state},     {"detail", window.detail},
                   {"attempt", window.attempt}, {"step", window.step},       {"steps", window.steps},
                   {"phase", window.phase},     {"seconds", window.seconds}, {"fraction", window.fraction}};
  if (!task) return document;
  const auto& span = task->spec.span;
  document["first_frame"] = span.first_frame;
  document["frames"] = span.keep_frames;
  document["owner"] = text_or_null(task->owner);
  document["host"] = text_or_null(task->host);
  document["crashes"] = task->crashes;
  document["losses"] = task->losses;
  document["failures"] = task->failures;
  document["error"] = text_or_null(task->error);
  document["error_class"] = text_or_null(task->error_class);
  document["claimed_ms"] = time_or_null(task->claimed);
  document["finished_ms"] = time_or_null(task->finished);
  document["has_frames"] = task->state == queue::TaskState::done && !task->artifact.path.empty();
  return document;
}

}  // namespace

std::optional<double> seconds_left(const coordinator::JobView& view) {
  if (view.job.state != queue::JobState::running) return std::nullopt;
  double seconds = 0;
  double done = 0;
  double left = 0;
  for (const coordinator::WindowView& window : view.windows) {
    if (window.state == "done" || (window.state == "running" && window.fraction >= kEnoughToExtrapolate)) {
      seconds += window.seconds;
      done += window.fraction;
    }
    left += window.state == "done" ? 0 : 1 - window.fraction;
  }
  if (done <= 0) return std::nullopt;
  return seconds / done * left;
}

json summary_json(const coordinator::JobView& view) {
  const queue::JobRecord& job = view.job;
  const auto left = seconds_left(view);
  return {{"job", job.id},
          {"state", to_string(job.state)},
          {"name", job.spec.name},
          {"project", job.spec.project},
          {"batch", text_or_null(job.spec.batch)},
          {"prompt", job.spec.prompt},
          {"frames", job.spec.frames ? json(*job.spec.frames) : json(nullptr)},
          {"windows", job.windows},
          {"windows_done", view.windows_done()},
          {"take", job.spec.take},
          {"priority", job.priority},
          {"paused", job.paused},
          {"partial", job.partial},
          {"has_video", !job.output.empty()},
          {"seconds_left", left ? json(*left) : json(nullptr)},
          {"waiting", text_or_null(job.waiting)},
          {"hold", text_or_null(job.hold)},
          {"error", text_or_null(job.error.message)},
          {"error_class", text_or_null(job.error.error_class)},
          {"submitted_ms", time_or_null(job.submitted)},
          {"started_ms", time_or_null(job.started)},
          {"finished_ms", time_or_null(job.finished)}};
}

json job_json(const coordinator::JobView& view, const std::vector<queue::TaskRecord>& tasks) {
  json document = summary_json(view);
  document["windows"] = json::array();
  for (const coordinator::WindowView& window : view.windows) {
    document["windows"].push_back(window_json(window, window_task(tasks, window.index)));
  }
  document["stitched"] = view.stitched;
  document["stitching"] = view.stitching;
  document["output"] = text_or_null(view.output);
  document["fingerprint"] = text_or_null(view.job.fingerprint);
  document["family"] = view.job.spec.family.empty() ? json(view.job.id) : json(view.job.spec.family);
  document["parent"] = text_or_null(view.job.spec.parent);
  document["spec"] = queue::to_json(view.job.spec);
  return document;
}

}  // namespace reelfarm::page

#include "cli/report/window_figures.hpp"

#include <algorithm>
#include <utility>

#include "pipeline/windows/grid.hpp"

namespace reelfarm::cli {
namespace {

using queue::ServerTime;
using Interval = std::pair<ServerTime, ServerTime>;

double seconds_of(const Interval& interval) {
  return std::chrono::duration<double>(interval.second - interval.first).count();
}

/// Seconds that the intervals cover together.
double covered_seconds(std::vector<Interval> intervals) {
  std::sort(intervals.begin(), intervals.end());
  double seconds = 0;
  ServerTime reached{};
  for (const auto& [begin, end] : intervals) {
    if (end <= reached) continue;
    seconds += seconds_of({std::max(begin, reached), end});
    reached = end;
  }
  return seconds;
}

std::int64_t new_frames(const queue::WindowSpan& span) {
  const std::int64_t shared = span.overlap_latents > 0 ? windows::frames_of_latents(span.overlap_latents) : 0;
  return std::max<std::int64_t>(span.keep_frames - shared, 0);
}

}  // namespace

WindowFigures window_figures(const std::vector<queue::TaskRecord>& tasks, ServerTime since) {
  WindowFigures figures;
  std::vector<double> seconds;
  std::vector<Interval> rendering;
  for (const queue::TaskRecord& task : tasks) {
    // A take's window that another take rendered was never claimed.
    const bool rendered = task.spec.kind == queue::TaskKind::window && task.state == queue::TaskState::done &&
                          task.finished >= since && task.claimed != ServerTime{};
    if (!rendered) continue;
    rendering.emplace_back(task.claimed, task.finished);
    seconds.push_back(seconds_of(rendering.back()));
    figures.frames += new_frames(task.spec.span);
    if (seconds.back() >= figures.worst_seconds) {
      figures.worst_seconds = seconds.back();
      figures.worst_task = task.spec.id;
    }
  }
  if (seconds.empty()) return figures;
  figures.count = static_cast<int>(seconds.size());
  const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  figures.median_seconds = *middle;
  constexpr double kSecondsPerMinute = 60;
  const double busy = covered_seconds(std::move(rendering));
  if (busy > 0) figures.frames_per_minute = static_cast<double>(figures.frames) * kSecondsPerMinute / busy;
  return figures;
}

}  // namespace reelfarm::cli

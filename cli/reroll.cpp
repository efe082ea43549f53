#include <algorithm>
#include <cmath>

#include "cli/errors.hpp"
#include "cli/farm.hpp"
#include "cli/submit_command.hpp"
#include "cli/text.hpp"
#include "coordinator/submission/take_request.hpp"
#include "pipeline/windows/frame_rate.hpp"
#include "pipeline/windows/grid.hpp"

namespace reelfarm::cli {
namespace {

/// "7.5", "1:07.5" and "1:02:07.5" as seconds. Throws BadInput.
double parse_time(const std::string& text) {
  constexpr double kSecondsPerMinute = 60;
  double seconds = 0;
  std::size_t begin = 0;
  for (int part = 0; part < 3; ++part) {
    const std::size_t colon = text.find(':', begin);
    const double value = parse_number("--at", text.substr(begin, colon - begin));
    // Written so that a NaN fails too.
    const bool fits = value >= 0 && (part == 0 || value < kSecondsPerMinute);
    if (!fits || std::isinf(value)) break;
    seconds = seconds * kSecondsPerMinute + value;
    if (colon == std::string::npos) return seconds;
    begin = colon + 1;
  }
  throw BadInput("--at is '" + text + "': must be a time in the video, such as 7.5, 1:07.5 or 1:02:07");
}

const queue::StitchSettings& stitch_of(const queue::JobRecord& job, const std::vector<queue::TaskRecord>& tasks) {
  for (const queue::TaskRecord& task : tasks) {
    if (task.spec.kind == queue::TaskKind::stitch) return task.spec.stitch;
  }
  throw BadInput("job " + job.id + " is " + std::string(to_string(job.state)) +
                 ": it has no windows yet; see reelfarm why " + job.id);
}

/// The window whose own frames, those that no earlier window has, are on the screen at that time.
int window_at(const queue::JobRecord& job, const queue::StitchSettings& stitch, const std::string& text) {
  const windows::FrameRate rate{stitch.frame_rate_numerator, stitch.frame_rate_denominator};
  const double frames_per_second = static_cast<double>(rate.numerator) / static_cast<double>(rate.denominator);
  const auto frame = static_cast<std::int64_t>(std::floor(std::min(parse_time(text), 1e9) * frames_per_second));
  if (frame >= stitch.frames) {
    throw BadInput("--at is " + text + ": job " + job.id + " is " +
                   duration_text(windows::seconds_at_frame(stitch.frames, rate)) + " long");
  }
  const windows::Grid grid = windows::plan({stitch.frames, *job.spec.window_frames, *job.spec.overlap_frames});
  return static_cast<int>(grid.window_at(frame).index);
}

int first_window(const Arguments& arguments, const queue::JobRecord& job, const queue::StitchSettings& stitch) {
  if (arguments.has("at")) return window_at(job, stitch, arguments.text("at"));
  const auto window = static_cast<int>(arguments.integer("window", 0, 0, 1'000'000));
  if (window >= stitch.windows) {
    throw BadInput("--window is " + std::to_string(window) + ": job " + job.id + " has windows 0 to " +
                   std::to_string(stitch.windows - 1));
  }
  return window;
}

}  // namespace

int run_reroll(const Arguments& arguments) {
  if (arguments.has("window") == arguments.has("at")) {
    throw BadInput("reroll needs --window J or --at TIME, one of them: what is rendered anew from there on");
  }
  SubmitOptions options = submit_options(arguments);
  const queue::DataFolder data = data_folder(arguments);
  queue::JobStore store = connect(arguments, data);
  const queue::JobRecord job = require_job(store, arguments.operands()[0]);
  const std::vector<queue::TaskRecord> tasks = store.get_tasks(job.id);
  coordinator::JobRequest request = coordinator::new_take_of(store, job);
  request.spec.from_window = first_window(arguments, job, stitch_of(job, tasks));
  request.spec.seed =
      arguments.has("seed") ? parse_unsigned("--seed", arguments.text("seed")) : coordinator::draw_seed();
  options.announcement = "reroll of " + job.id + " from window " + std::to_string(*request.spec.from_window);
  return submit_and_report({request}, store, data, options);
}

}  // namespace reelfarm::cli

#include "coordinator/planner.hpp"

#include <algorithm>

#include "coordinator/artifact_keys.hpp"
#include "pipeline/windows/grid.hpp"
#include "pipeline/windows/seeds.hpp"
#include "pipeline/windows/size.hpp"

namespace reelfarm::coordinator {
namespace {

using queue::TaskKind;
using queue::TaskSpec;

constexpr std::uint64_t kBytesPerPixel = 3;       // 8-bit RGB
constexpr std::uint64_t kLatentChannels = 16;     // of the HunyuanVideo VAE
constexpr std::uint64_t kPixelsPerLatent = 8;     // per side
constexpr std::uint64_t kBytesPerLatent = 4;      // kept as fp32
constexpr std::uint64_t kBytesPerTask = 1 << 20;  // manifests, logs, file system blocks
// x264 at its default quality stays under 0.8 bit a pixel even on noise-like video; while it is remuxed, it is there
// twice.
constexpr double kVideoBytesPerPixel = 2 * 0.1;

TaskSpec render_task(const std::string& job, TaskKind kind, int window, const queue::JobSpec& spec,
                     const queue::BundleLimits& limits, std::uint64_t seed_window) {
  TaskSpec task;
  task.id = queue::task_id(job, kind, window);
  task.job = job;
  task.kind = kind;
  task.window = window;
  task.bundle_hash = spec.bundle_hash;
  task.render.prompt = spec.prompt;
  task.render.image_fit = spec.image_fit;
  task.render.width = rendered_side(*spec.width, limits);
  task.render.height = rendered_side(*spec.height, limits);
  task.render.steps = *spec.steps;
  task.render.shift = *spec.shift;
  task.render.guidance = *spec.guidance;
  task.render.dtype = spec.dtype;
  task.render.seed = windows::window_seed(spec.seed, seed_window, static_cast<std::uint64_t>(spec.take));
  return task;
}

queue::WindowSpan span_of(const windows::Window& window, const windows::Grid& grid) {
  queue::WindowSpan span;
  span.first_latent = static_cast<int>(window.latents.first);
  span.num_latents = static_cast<int>(window.latents.count());
  span.overlap_latents = window.index == 0 ? 0 : static_cast<int>(grid.overlap_latents);
  span.first_frame = window.frames.first;
  span.num_frames = window.frames.count();
  span.keep_frames = window.kept.count();
  return span;
}

/// A task of the job that this one is a take of, as one of its own.
TaskSpec taken_over(const std::string& job, const queue::Plan& parent, TaskKind kind, int window) {
  const auto found = std::find_if(parent.tasks.begin(), parent.tasks.end(),
                                  [&](const TaskSpec& task) { return task.kind == kind && task.window == window; });
  if (found == parent.tasks.end()) throw Rejected("the plan of the earlier take has no such window");
  TaskSpec task = *found;
  task.id = queue::task_id(job, kind, window);
  task.job = job;
  task.depends.clear();
  return task;
}

TaskSpec stitch_task(const std::string& job, const queue::JobSpec& spec, const queue::BundleLimits& limits,
                     const windows::Grid& grid) {
  TaskSpec task;
  task.id = queue::task_id(job, TaskKind::stitch);
  task.job = job;
  task.kind = TaskKind::stitch;
  task.stitch.windows = static_cast<int>(grid.windows.size());
  task.stitch.frames = grid.frames;
  task.stitch.overlap_frames = static_cast<int>(grid.overlap_frames);
  task.stitch.frame_rate_numerator = limits.frame_rate_numerator;
  task.stitch.frame_rate_denominator = limits.frame_rate_denominator;
  task.stitch.width = *spec.width;
  task.stitch.height = *spec.height;
  return task;
}

}  // namespace

int rendered_side(int asked, const queue::BundleLimits& limits) {
  const int multiple = std::max(limits.size_multiple, 1);
  return (asked + multiple - 1) / multiple * multiple;
}

std::uint64_t disk_needed(const std::vector<TaskSpec>& tasks) {
  std::uint64_t bytes = 0;
  for (const TaskSpec& task : tasks) {
    bytes += kBytesPerTask;
    const auto pixels = static_cast<std::uint64_t>(task.render.width) * static_cast<std::uint64_t>(task.render.height);
    if (task.kind == TaskKind::image) bytes += pixels * kBytesPerPixel;
    if (task.kind == TaskKind::window) {
      // FFV1 never takes much more than the plain bytes, and on noise it takes all of them.
      bytes += pixels * kBytesPerPixel * static_cast<std::uint64_t>(task.span.num_frames);
      bytes += pixels / (kPixelsPerLatent * kPixelsPerLatent) * kLatentChannels * kBytesPerLatent *
               static_cast<std::uint64_t>(task.span.num_latents);
    }
    if (task.kind == TaskKind::stitch) {
      bytes += static_cast<std::uint64_t>(kVideoBytesPerPixel * task.stitch.width * task.stitch.height *
                                          static_cast<double>(task.stitch.frames));
    }
  }
  return bytes;
}

queue::Plan plan_job(const std::string& job, const queue::JobSpec& spec, const queue::BundleLimits& limits,
                     const queue::Plan* parent) try {
  const windows::Grid grid = windows::plan({*spec.frames, *spec.window_frames, *spec.overlap_frames});
  queue::Plan plan;
  plan.spec = spec;
  const int first_anew = parent ? spec.from_window.value_or(0) : 0;
  std::vector<TaskSpec> anew;
  std::string before_key;
  const bool makes_image = limits.needs_image && !spec.image;
  if (makes_image) {
    TaskSpec image = parent ? taken_over(job, *parent, TaskKind::image, 0)
                            : render_task(job, TaskKind::image, 0, spec, limits, windows::kImageSeedWindow);
    image.artifact_key = image_key(image);
    before_key = image.artifact_key;
    if (!parent) anew.push_back(image);
    plan.tasks.push_back(std::move(image));
  }
  for (const windows::Window& window : grid.windows) {
    const int index = static_cast<int>(window.index);
    TaskSpec task = index < first_anew
                        ? taken_over(job, *parent, TaskKind::window, index)
                        : render_task(job, TaskKind::window, index, spec, limits, static_cast<std::uint64_t>(index));
    task.span = span_of(window, grid);
    if (index == 0) {
      task.render.image = spec.image;
      if (makes_image) task.depends.push_back({queue::task_id(job, TaskKind::image), queue::DependencyOn::done});
    } else {
      task.depends.push_back({queue::task_id(job, TaskKind::window, index - 1), queue::DependencyOn::tail});
    }
    task.artifact_key = window_key(task, spec.mode, before_key);
    before_key = task.artifact_key;
    if (index >= first_anew) anew.push_back(task);
    plan.tasks.push_back(std::move(task));
  }
  TaskSpec stitch = stitch_task(job, spec, limits, grid);
  stitch.depends.push_back({queue::task_id(job, TaskKind::window, 0), queue::DependencyOn::done});
  stitch.artifact_key = stitch_key(stitch, before_key);
  anew.push_back(stitch);
  plan.tasks.push_back(std::move(stitch));
  plan.bytes_needed = disk_needed(anew);
  return plan;
} catch (const windows::InvalidRequest& error) {
  throw Rejected(error.what());
}

}  // namespace reelfarm::coordinator

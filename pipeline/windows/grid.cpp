#include "pipeline/windows/grid.hpp"

#include <algorithm>

namespace reelfarm::windows {
namespace {

std::string text(std::int64_t value) {
  return std::to_string(value);
}

// The two clip lengths around `frames`, for the hint of an error.
std::string nearest_clip_lengths(std::int64_t frames) {
  const std::int64_t above = frames_of_latents(latents_for_frames(frames));
  const std::int64_t below = above - kFramesPerLatent;
  return below < 1 ? text(above) : text(below) + " or " + text(above);
}

std::int64_t ceil_div(std::int64_t numerator, std::int64_t denominator) {
  return (numerator + denominator - 1) / denominator;
}

}  // namespace

std::int64_t frames_of_latents(std::int64_t latents) {
  if (latents < 1) throw InvalidRequest("a clip of " + text(latents) + " latent frames: must be at least 1");
  return kFramesPerLatent * (latents - 1) + 1;
}

std::int64_t latents_for_frames(std::int64_t frames) {
  if (frames < 1) throw InvalidRequest("a clip of " + text(frames) + " frames: must be at least 1");
  return ceil_div(frames - 1, kFramesPerLatent) + 1;
}

bool is_clip_length(std::int64_t frames) {
  return frames >= 1 && (frames - 1) % kFramesPerLatent == 0;
}

void check(const GridRequest& request) {
  if (request.frames < 1) {
    throw InvalidRequest("frames is " + text(request.frames) + ": a video has at least 1 frame");
  }
  if (request.frames > kMaxFrames) {
    throw InvalidRequest("frames is " + text(request.frames) + ": at most " + text(kMaxFrames) +
                         " are taken; split the video into several jobs");
  }
  if (request.window_frames < 1 || request.window_frames > kMaxWindowFrames) {
    throw InvalidRequest("window is " + text(request.window_frames) + " frames: must be from 5 to " +
                         text(kMaxWindowFrames));
  }
  if (!is_clip_length(request.window_frames)) {
    throw InvalidRequest("window is " + text(request.window_frames) +
                         " frames: must be 4k+1; nearest: " + nearest_clip_lengths(request.window_frames));
  }
  if (request.window_frames == 1) {
    throw InvalidRequest("window is 1 frame: must be at least 5, or neighbours have nothing to continue from");
  }
  if (request.overlap_frames < 1) {
    throw InvalidRequest("overlap is " + text(request.overlap_frames) +
                         " frames: must be 1, 5, 9, 13, ...; a window starts from the last frame of the one before");
  }
  const std::int64_t window_latents = latents_for_frames(request.window_frames);
  const std::int64_t largest_overlap = frames_of_latents(window_latents / 2);
  if (request.overlap_frames <= largest_overlap && !is_clip_length(request.overlap_frames)) {
    throw InvalidRequest("overlap is " + text(request.overlap_frames) +
                         " frames: must be 1, 5, 9, 13, ...; nearest: " + nearest_clip_lengths(request.overlap_frames));
  }
  if (request.overlap_frames > largest_overlap) {
    throw InvalidRequest("overlap is " + text(request.overlap_frames) + " frames: at most " + text(largest_overlap) +
                         " with a window of " + text(request.window_frames) +
                         " frames (half of its latent frames, so that a frame lies in no more than two windows)");
  }
}

Grid plan(const GridRequest& request) {
  check(request);
  Grid grid;
  grid.frames = request.frames;
  grid.latents = latents_for_frames(request.frames);
  grid.window_latents = std::min(latents_for_frames(request.window_frames), grid.latents);
  grid.overlap_latents = latents_for_frames(request.overlap_frames);
  grid.overlap_frames = request.overlap_frames;

  const std::int64_t full = latents_for_frames(request.window_frames);
  const std::int64_t stride = full - grid.overlap_latents;
  const std::int64_t count = grid.latents > full ? ceil_div(grid.latents - full, stride) + 1 : 1;
  grid.windows.reserve(static_cast<std::size_t>(count));
  for (std::int64_t index = 0; index < count; ++index) {
    Window window;
    window.index = index;
    window.latents = {index * stride, index * stride + grid.window_latents - 1};
    window.frames = {kFramesPerLatent * window.latents.first, kFramesPerLatent * window.latents.last};
    window.kept = {window.frames.first, std::min(window.frames.last, grid.frames - 1)};
    window.fresh = window.kept;
    if (index > 0) window.fresh.first = window.frames.first + grid.overlap_frames;
    grid.windows.push_back(window);
  }
  return grid;
}

std::int64_t Grid::rendered_frames() const {
  std::int64_t sum = 0;
  for (const Window& window : windows) sum += window.frames.count();
  return sum;
}

const Window& Grid::window_at(std::int64_t frame) const {
  const auto found =
      std::find_if(windows.begin(), windows.end(), [frame](const Window& w) { return w.fresh.contains(frame); });
  if (found == windows.end()) {
    throw InvalidRequest("frame " + text(frame) + " is outside the video, which has frames 0 to " + text(frames - 1));
  }
  return *found;
}

std::optional<WindowSaving> window_saving(const Grid& grid, std::int64_t max_fewer_frames) {
  if (grid.windows.size() < 2) return std::nullopt;
  const std::int64_t fewer = grid.windows.back().fresh.count();
  if (fewer > max_fewer_frames) return std::nullopt;
  return WindowSaving{grid.frames - fewer, fewer};
}

std::string WindowSaving::describe(const Grid& grid) const {
  const std::size_t windows = grid.windows.size();
  return text(frames) + " frames instead of " + text(grid.frames) + " (" + text(fewer_frames) + " fewer) need " +
         std::to_string(windows - 1) + (windows == 2 ? " window" : " windows") + " instead of " +
         std::to_string(windows);
}

}  // namespace reelfarm::windows

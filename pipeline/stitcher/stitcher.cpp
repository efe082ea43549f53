#include "pipeline/stitcher/stitcher.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace reelfarm::stitcher {
namespace {

double strength(std::int64_t frame, std::int64_t fade) {
  return frame >= fade ? 0 : 1 - static_cast<double>(frame) / static_cast<double>(fade);
}

}  // namespace

Stitcher::Stitcher(windows::Grid grid, const StitchOptions& options, FrameSink& sink)
    : grid_(std::move(grid)), options_(options), sink_(sink) {
  if (grid_.windows.empty()) throw StitchError("a grid without windows cannot be stitched");
}

void Stitcher::read(FrameSource& source, video::Image& frame, std::int64_t index) {
  if (!source.next(frame)) {
    throw StitchError("window " + std::to_string(next_window_) + " ends after " + std::to_string(index) +
                      " frames, its place in the grid has " +
                      std::to_string(grid_.windows[static_cast<std::size_t>(next_window_)].frames.count()));
  }
  if (width_ == 0) {
    width_ = frame.width;
    height_ = frame.height;
  }
  if (frame.width != width_ || frame.height != height_) {
    throw StitchError("window " + std::to_string(next_window_) + " has frames of " + frame.size_text() +
                      ", earlier windows have " + std::to_string(width_) + "x" + std::to_string(height_));
  }
}

void Stitcher::emit(const video::Image& frame) {
  frames_.push_back(meter_.measure(frame));
  sink_.write(frame);
}

void Stitcher::start_at(std::int64_t window, FrameSource& previous) {
  if (next_window_ != 0 || !frames_.empty()) throw StitchError("start_at comes before the first window");
  if (window < 1 || window >= static_cast<std::int64_t>(grid_.windows.size())) {
    throw StitchError("cannot start at window " + std::to_string(window) + " of " +
                      std::to_string(grid_.windows.size()));
  }
  next_window_ = window - 1;  // For messages of read().
  const windows::Window& before = grid_.windows[static_cast<std::size_t>(window - 1)];
  const std::int64_t skipped = grid_.windows[static_cast<std::size_t>(window)].frames.first - before.frames.first;
  previous.skip(skipped);
  tail_.resize(static_cast<std::size_t>(grid_.overlap_frames));
  for (std::size_t k = 0; k < tail_.size(); ++k) read(previous, tail_[k], skipped + static_cast<std::int64_t>(k));
  next_window_ = window;
}

void Stitcher::merge_overlap(FrameSource& source, Seam& seam, WindowMeter& meter, std::int64_t fade) {
  const auto count = static_cast<std::int64_t>(tail_.size());
  head_.resize(tail_.size());
  for (std::int64_t k = 0; k < count; ++k) {
    read(source, head_[static_cast<std::size_t>(k)], k);
    meter.add(head_[static_cast<std::size_t>(k)]);
  }
  seam = plan_seam(tail_, head_, options_);
  for (std::int64_t k = 0; k < count; ++k) {
    const auto index = static_cast<std::size_t>(k);
    const double share = later_share(seam, k, count);
    if (share == 0) {
      emit(tail_[index]);
    } else {
      emit(merge_frames(tail_[index], head_[index], share, ColorTable(seam.color, strength(k, fade))));
    }
  }
}

void Stitcher::add_window(FrameSource& source) {
  if (complete() || ended_) {
    throw StitchError("all " + std::to_string(next_window_) + " windows are merged already");
  }
  const windows::Window& window = grid_.windows[static_cast<std::size_t>(next_window_)];
  const bool last = next_window_ + 1 == static_cast<std::int64_t>(grid_.windows.size());
  // Frames from here on are shared with the next window.
  const std::int64_t body_end =
      last ? window.kept.count()
           : grid_.windows[static_cast<std::size_t>(next_window_ + 1)].frames.first - window.frames.first;
  const std::int64_t fade = std::min(options_.fade_frames, body_end);
  WindowMeter meter;
  SeamReport seam{.window = next_window_,
                  .first_frame = frames_written(),
                  .overlap_frames = static_cast<std::int64_t>(tail_.size()),
                  .seam = {}};
  const auto head = static_cast<std::int64_t>(tail_.size());
  if (head > 0) merge_overlap(source, seam.seam, meter, fade);
  video::Image frame;
  for (std::int64_t k = head; k < body_end; ++k) {
    read(source, frame, k);
    meter.add(frame);
    const double share = strength(k, fade);
    if (share > 0 && !seam.seam.color.identity()) apply(ColorTable(seam.seam.color, share), frame);
    emit(frame);
  }
  tail_.resize(last ? 0 : static_cast<std::size_t>(grid_.overlap_frames));
  for (std::size_t k = 0; k < tail_.size(); ++k) {
    read(source, tail_[k], body_end + static_cast<std::int64_t>(k));
    meter.add(tail_[k]);
  }
  if (head > 0) report_.seams.push_back(seam);
  report_.windows.push_back({.window = next_window_, .mean = meter.mean(), .deviation = meter.deviation()});
  ++next_window_;
}

void Stitcher::finish_early() {
  for (const video::Image& frame : tail_) emit(frame);
  tail_.clear();
  ended_ = true;
}

StitchReport Stitcher::report() const {
  StitchReport report = report_;
  finish_report(report, frames_);
  return report;
}

}  // namespace reelfarm::stitcher

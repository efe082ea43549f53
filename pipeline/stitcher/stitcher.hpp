#pragma once

#include <cstdint>
#include <vector>

#include "pipeline/stitcher/frame_io.hpp"
#include "pipeline/stitcher/report.hpp"
#include "pipeline/stitcher/seam.hpp"
#include "pipeline/windows/grid.hpp"

namespace reelfarm::stitcher {

/// Merges the windows of a grid into one stream of frames, holding only the frames of one overlap.
///
/// A frame is written as soon as no later window can change it. Each seam depends on its own overlap only: a colour
/// correction fades out before the next overlap begins, so what is compared there is always as decoded. Hence the
/// frames do not depend on when windows came or where the work began.
class Stitcher {
 public:
  /// `grid` is copied; `sink` must outlive the stitcher.
  Stitcher(windows::Grid grid, const StitchOptions& options, FrameSink& sink);

  /// Starts at window `window` (at least 1) instead of 0: reads only the overlap from `previous`, the window before it.
  /// The frames written are those from first frame of `window` on. Call it before any add_window.
  void start_at(std::int64_t window, FrameSource& previous);

  /// Merges the next window, whose frames are read once, in order. Throws StitchError when it has too few frames or
  /// another size; what it wrote by then stays written.
  void add_window(FrameSource& source);

  /// Index of the window that add_window takes next; the number of windows when all are merged.
  std::int64_t next_window() const { return next_window_; }
  bool complete() const { return next_window_ == static_cast<std::int64_t>(grid_.windows.size()); }
  std::int64_t frames_written() const { return static_cast<std::int64_t>(frames_.size()); }

  /// Ends here although windows are missing: writes the held overlap as the last window decoded it.
  void finish_early();

  /// Valid any time; the ratios are over the frames written so far.
  StitchReport report() const;

 private:
  void read(FrameSource& source, video::Image& frame, std::int64_t index);
  void emit(const video::Image& frame);
  void merge_overlap(FrameSource& source, Seam& seam, WindowMeter& meter, std::int64_t fade);

  windows::Grid grid_;
  StitchOptions options_;
  FrameSink& sink_;
  std::int64_t next_window_ = 0;
  bool ended_ = false;
  int width_ = 0;
  int height_ = 0;
  std::vector<video::Image> tail_;  // The overlap with the next window, as the window before it decoded it.
  std::vector<video::Image> head_;  // The same frames of the later window; kept for its buffers.
  FrameMeter meter_;
  std::vector<FrameStats> frames_;
  StitchReport report_;
};

}  // namespace reelfarm::stitcher

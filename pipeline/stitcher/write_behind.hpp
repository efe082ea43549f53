#pragma once

#include <cstddef>
#include <functional>

#include "pipeline/stitcher/frame_io.hpp"
#include "threads/conveyor.hpp"

namespace reelfarm::stitcher {

/// Another sink, written on a thread of its own while the caller makes the next frames.
class WriteBehind : public FrameSink {
 public:
  /// `sink` must outlive this, and is nobody else's until finish() or the end of this; `room` frames may wait.
  /// `after_frame` (may be empty) is called on the caller's thread for every frame, for example to keep a lease; what
  /// it throws ends the stitching.
  explicit WriteBehind(FrameSink& sink, std::function<void()> after_frame = {}, std::size_t room = 8);

  /// Throws what the sink has thrown for an earlier frame.
  void write(const video::Image& frame) override;

  /// Returns when all frames are written; nothing may come after it. Throws what the sink has thrown.
  void finish() { frames_.finish(); }

 private:
  std::function<void()> after_frame_;
  threads::Conveyor<video::Image> frames_;
};

}  // namespace reelfarm::stitcher

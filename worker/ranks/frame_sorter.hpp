#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include <ATen/core/Tensor.h>

namespace reelfarm::worker {

/// Puts the pieces of a decode that gave the end first back into order, and cuts the tail out as soon as it is there.
class FrameSorter {
 public:
  /// Of a window of `frames` frames, the last `tail_frames` are wanted first.
  FrameSorter(std::int64_t frames, std::int64_t tail_frames) : frames_(frames), tail_frames_(tail_frames) {}

  /// frames: (n, H, W, 3) of the window from `first_frame` on; pieces do not overlap. What can be written in ascending
  /// order now goes to `write`.
  void add(std::int64_t first_frame, const at::Tensor& frames, const std::function<void(const at::Tensor&)>& write);

  /// The last tail_frames frames, once, when all of them have come.
  std::optional<at::Tensor> take_tail();

  std::int64_t written() const { return next_; }

 private:
  std::int64_t frames_;
  std::int64_t tail_frames_;
  std::int64_t next_ = 0;
  std::map<std::int64_t, at::Tensor> waiting_;  // by first frame
  std::map<std::int64_t, at::Tensor> tail_;     // the parts of the tail, by first frame
  std::int64_t tail_seen_ = 0;
};

}  // namespace reelfarm::worker

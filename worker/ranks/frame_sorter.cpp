#include "worker/ranks/frame_sorter.hpp"

#include <algorithm>
#include <vector>

namespace reelfarm::worker {

void FrameSorter::add(std::int64_t first_frame, const at::Tensor& frames,
                      const std::function<void(const at::Tensor&)>& write) {
  const std::int64_t tail_begin = frames_ - tail_frames_;
  const std::int64_t before_tail = std::max<std::int64_t>(tail_begin - first_frame, 0);
  if (const std::int64_t in_tail = frames.size(0) - before_tail; in_tail > 0) {
    tail_.emplace(first_frame + before_tail, frames.narrow(0, before_tail, in_tail));
    tail_seen_ += in_tail;
  }
  waiting_.emplace(first_frame, frames);
  while (!waiting_.empty() && waiting_.begin()->first == next_) {
    const at::Tensor piece = waiting_.begin()->second;
    waiting_.erase(waiting_.begin());
    next_ += piece.size(0);
    write(piece);
  }
}

std::optional<at::Tensor> FrameSorter::take_tail() {
  if (tail_.empty() || tail_seen_ < tail_frames_) return std::nullopt;
  std::vector<at::Tensor> parts;
  for (const auto& [first_frame, part] : tail_) parts.push_back(part);
  tail_.clear();
  return at::cat(parts);
}

}  // namespace reelfarm::worker

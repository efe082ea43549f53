#include "pipeline/stitcher/write_behind.hpp"

#include <utility>

namespace reelfarm::stitcher {

WriteBehind::WriteBehind(FrameSink& sink, std::function<void()> after_frame, std::size_t room)
    : after_frame_(std::move(after_frame)), frames_([&sink](const video::Image& frame) { sink.write(frame); }, room) {}

void WriteBehind::write(const video::Image& frame) {
  frames_.put(frame);
  if (after_frame_) after_frame_();
}

}  // namespace reelfarm::stitcher

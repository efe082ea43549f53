#include "pipeline/stitcher/read_ahead.hpp"

#include <optional>
#include <utility>

namespace reelfarm::stitcher {

ReadAhead::ReadAhead(FrameSource& source, std::size_t room)
    : source_(source), ahead_(room), thread_([this] { run(); }) {}

ReadAhead::~ReadAhead() {
  ahead_.drop();
  thread_.join();
}

bool ReadAhead::next(video::Image& frame) {
  std::optional<video::Image> read = ahead_.next();
  if (!read) {
    if (thrown_) std::rethrow_exception(thrown_);
    return false;
  }
  frame = std::move(*read);
  return true;
}

void ReadAhead::run() {
  try {
    video::Image frame;
    while (source_.next(frame) && ahead_.put(std::exchange(frame, {}))) {
    }
  } catch (...) {
    thrown_ = std::current_exception();
  }
  ahead_.close();
}

}  // namespace reelfarm::stitcher

#pragma once

#include <cstddef>
#include <exception>
#include <thread>

#include "pipeline/stitcher/frame_io.hpp"
#include "threads/belt.hpp"

namespace reelfarm::stitcher {

/// Another source, read on a thread of its own while the caller works on earlier frames. What it throws comes in the
/// place of the frame that it could not give.
class ReadAhead : public FrameSource {
 public:
  /// `source` must outlive this, and is nobody else's meanwhile; `room` frames may wait.
  explicit ReadAhead(FrameSource& source, std::size_t room = 8);
  ~ReadAhead() override;
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  bool next(video::Image& frame) override;

 private:
  void run();

  FrameSource& source_;
  threads::Belt<video::Image> ahead_;
  std::exception_ptr thrown_;
  std::thread thread_;  // the last member: it uses all others
};

}  // namespace reelfarm::stitcher

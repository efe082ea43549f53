#include "pipeline/stitcher/frame_io.hpp"

#include <string>

namespace reelfarm::stitcher {

void FrameSource::skip(std::int64_t count) {
  video::Image ignored;
  for (std::int64_t i = 0; i < count; ++i) {
    if (!next(ignored)) {
      throw StitchError("a window ends after " + std::to_string(i) + " of " + std::to_string(count) +
                        " frames that were to be left out");
    }
  }
}

}  // namespace reelfarm::stitcher

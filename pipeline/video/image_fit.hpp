#pragma once

#include <string>
#include <string_view>

#include "pipeline/video/errors.hpp"
#include "pipeline/video/image.hpp"

namespace reelfarm::video {

enum class Fit {
  kCrop,     ///< fills the frame and loses what sticks out, the same on both sides
  kStretch,  ///< fills the frame and changes the proportions
  kPad,      ///< keeps everything, black at the sides
};

/// "crop", "stretch" or "pad"; throws BadMedia.
Fit parse_fit(std::string_view text);
std::string to_string(Fit fit);

/// Brings the image to width x height with Lanczos resampling, per channel in RGB; the same bits on every machine.
Image fit_image(const Image& image, int width, int height, Fit fit);

}  // namespace reelfarm::video

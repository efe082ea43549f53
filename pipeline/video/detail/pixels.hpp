#pragma once

#include "pipeline/video/detail/av.hpp"
#include "pipeline/video/image.hpp"

/// Lossless copies between Image and frames of RGB formats; sizes must agree.
namespace reelfarm::video::detail {

void copy_to_rgb24(const Image& image, AVFrame& frame);
void copy_from_rgb24(const AVFrame& frame, Image& image);
/// BGR0: FFV1's 8-bit RGB.
void pack_bgr0(const Image& image, AVFrame& frame);
void unpack_bgr0(const AVFrame& frame, Image& image);

}  // namespace reelfarm::video::detail

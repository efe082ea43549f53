#include "pipeline/video/detail/pixels.hpp"

#include <cstring>

namespace reelfarm::video::detail {
namespace {

std::uint8_t* line(const AVFrame& frame, int y) {
  return frame.data[0] + std::ptrdiff_t{y} * frame.linesize[0];
}

}  // namespace

void copy_to_rgb24(const Image& image, AVFrame& frame) {
  for (int y = 0; y < image.height; ++y) std::memcpy(line(frame, y), image.row(y), image.stride());
}

void copy_from_rgb24(const AVFrame& frame, Image& image) {
  for (int y = 0; y < image.height; ++y) std::memcpy(image.row(y), line(frame, y), image.stride());
}

void pack_bgr0(const Image& image, AVFrame& frame) {
  for (int y = 0; y < image.height; ++y) {
    const std::uint8_t* in = image.row(y);
    std::uint8_t* out = line(frame, y);
    for (int x = 0; x < image.width; ++x, in += 3, out += 4) {
      out[0] = in[2];
      out[1] = in[1];
      out[2] = in[0];
      out[3] = 0;
    }
  }
}

void unpack_bgr0(const AVFrame& frame, Image& image) {
  for (int y = 0; y < image.height; ++y) {
    const std::uint8_t* in = line(frame, y);
    std::uint8_t* out = image.row(y);
    for (int x = 0; x < image.width; ++x, in += 4, out += 3) {
      out[0] = in[2];
      out[1] = in[1];
      out[2] = in[0];
    }
  }
}

}  // namespace reelfarm::video::detail

#include "pipeline/video/image.hpp"

#include <algorithm>
#include <stdexcept>

namespace reelfarm::video {

Image crop(const Image& image, int x, int y, int width, int height) {
  if (x < 0 || y < 0 || width < 1 || height < 1 || x > image.width - width || y > image.height - height) {
    throw std::out_of_range("crop of " + std::to_string(width) + "x" + std::to_string(height) + " at (" +
                            std::to_string(x) + ", " + std::to_string(y) + ") reaches outside an image of " +
                            image.size_text());
  }
  Image result(width, height);
  for (int line = 0; line < height; ++line) {
    std::copy_n(image.pixel(x, y + line), result.stride(), result.row(line));
  }
  return result;
}

}  // namespace reelfarm::video

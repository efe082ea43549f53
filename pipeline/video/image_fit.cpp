#include "pipeline/video/image_fit.hpp"

#include <algorithm>
#include <cstring>

#include "pipeline/video/detail/scaler.hpp"

namespace reelfarm::video {
namespace {

// Each channel as a grey plane: swscale would take RGB through YUV and back.
Image resample(const Image& image, int width, int height) {
  if (image.width == width && image.height == height) return image;
  const detail::PixelLayout from{
      .format = AV_PIX_FMT_GRAY8, .width = image.width, .height = image.height, .range = AVCOL_RANGE_JPEG};
  const detail::PixelLayout to{.format = AV_PIX_FMT_GRAY8, .width = width, .height = height, .range = AVCOL_RANGE_JPEG};
  detail::Scaler scaler(from, to, SWS_LANCZOS);
  detail::AvFrame plane_in = detail::make_frame(from.format, from.width, from.height);
  detail::AvFrame plane_out = detail::make_frame(to.format, to.width, to.height);
  Image result(width, height);
  for (int channel = 0; channel < Image::kChannels; ++channel) {
    for (int y = 0; y < image.height; ++y) {
      std::uint8_t* out = plane_in->data[0] + std::ptrdiff_t{y} * plane_in->linesize[0];
      for (int x = 0; x < image.width; ++x) out[x] = image.pixel(x, y)[channel];
    }
    scaler.convert(*plane_in, *plane_out);
    for (int y = 0; y < height; ++y) {
      const std::uint8_t* in = plane_out->data[0] + std::ptrdiff_t{y} * plane_out->linesize[0];
      for (int x = 0; x < width; ++x) result.pixel(x, y)[channel] = in[x];
    }
  }
  return result;
}

// round(a * b / c), at least 1
int scaled(int a, int b, int c) {
  return static_cast<int>(std::max<std::int64_t>(1, (std::int64_t{a} * b + c / 2) / c));
}

Image cover(const Image& image, int width, int height) {
  int kept_width = image.width;
  int kept_height = image.height;
  if (std::int64_t{image.width} * height > std::int64_t{image.height} * width) {
    kept_width = std::min(image.width, scaled(image.height, width, height));
  } else {
    kept_height = std::min(image.height, scaled(image.width, height, width));
  }
  return resample(
      crop(image, (image.width - kept_width) / 2, (image.height - kept_height) / 2, kept_width, kept_height), width,
      height);
}

Image contain(const Image& image, int width, int height) {
  int inner_width = width;
  int inner_height = height;
  if (std::int64_t{image.width} * height > std::int64_t{image.height} * width) {
    inner_height = std::min(height, scaled(width, image.height, image.width));
  } else {
    inner_width = std::min(width, scaled(height, image.width, image.height));
  }
  const Image inner = resample(image, inner_width, inner_height);
  Image result(width, height);
  const int left = (width - inner_width) / 2;
  const int top = (height - inner_height) / 2;
  for (int y = 0; y < inner_height; ++y) std::memcpy(result.pixel(left, top + y), inner.row(y), inner.stride());
  return result;
}

}  // namespace

Fit parse_fit(std::string_view text) {
  if (text == "crop") return Fit::kCrop;
  if (text == "stretch") return Fit::kStretch;
  if (text == "pad") return Fit::kPad;
  throw BadMedia("image fit '" + std::string(text) + "' is unknown: crop, stretch or pad");
}

std::string to_string(Fit fit) {
  switch (fit) {
    case Fit::kCrop:
      return "crop";
    case Fit::kStretch:
      return "stretch";
    case Fit::kPad:
      return "pad";
  }
  return "";
}

Image fit_image(const Image& image, int width, int height, Fit fit) {
  if (width < 1 || height < 1) {
    throw BadMedia("an image cannot be fitted to " + std::to_string(width) + "x" + std::to_string(height));
  }
  switch (fit) {
    case Fit::kCrop:
      return cover(image, width, height);
    case Fit::kStretch:
      return resample(image, width, height);
    case Fit::kPad:
      return contain(image, width, height);
  }
  return image;
}

}  // namespace reelfarm::video

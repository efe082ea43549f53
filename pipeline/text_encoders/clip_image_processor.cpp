#include "pipeline/text_encoders/clip_image_processor.hpp"

#include <algorithm>
#include <string>

#include "pipeline/text_encoders/detail/config_fields.hpp"
#include "pipeline/text_encoders/detail/pillow_resize.hpp"
#include "pipeline/text_encoders/errors.hpp"
#include "pipeline/video/image.hpp"

namespace reelfarm::text_encoders {
namespace {

constexpr std::int64_t kPillowBicubic = 3;
constexpr std::int64_t kLongestRatio = 64;

std::array<double, 3> three(const weights::Config& source, std::string_view key, const std::array<double, 3>& as) {
  const std::vector<double> values = detail::numbers(source, key, {as.begin(), as.end()});
  return {values[0], values[1], values[2]};
}

std::optional<ClipImageProcessor::Size> size_of(const weights::Config& source, std::string_view key) {
  if (!source.has(key) || detail::holds_integer(source, key)) return std::nullopt;
  const weights::Config size = source.object(key);
  if (!size.has("height") && !size.has("width")) return std::nullopt;
  for (const char* side : {"height", "width"}) {
    if (!size.has(side)) size.fail(side, "is missing");
  }
  return ClipImageProcessor::Size{detail::integer(size, "height", 0), detail::integer(size, "width", 0)};
}

}  // namespace

ClipImageProcessor ClipImageProcessor::parse(const weights::Config& source) {
  ClipImageProcessor processor;
  if (detail::integer(source, "resample", kPillowBicubic, 0) != kPillowBicubic) {
    source.fail("resample", "expected 3 (bicubic); other filters are not in this version");
  }
  if (!source.flag("do_resize", true)) {
    processor.shortest_edge_.reset();
  } else if (detail::holds_integer(source, "size")) {  // transformers before 4.20
    processor.shortest_edge_ = detail::integer(source, "size", 224);
  } else if (const auto size = size_of(source, "size")) {
    processor.resize_ = size;
    processor.shortest_edge_.reset();
  } else if (const auto edges = detail::child(source, "size")) {
    if (edges->has("longest_edge")) edges->fail("longest_edge", "is not in this version");
    processor.shortest_edge_ = detail::integer(*edges, "shortest_edge", 224);
  }
  if (!source.flag("do_center_crop", true)) {
    processor.crop_.reset();
  } else if (detail::holds_integer(source, "crop_size")) {
    const std::int64_t side = detail::integer(source, "crop_size", 224);
    processor.crop_ = Size{side, side};
  } else if (const auto size = size_of(source, "crop_size")) {
    processor.crop_ = size;
  }
  processor.rescale_ =
      source.flag("do_rescale", true) ? detail::positive(source, "rescale_factor", processor.rescale_) : 1.0;
  processor.normalize_ = source.flag("do_normalize", true);
  processor.mean_ = three(source, "image_mean", processor.mean_);
  processor.std_ = three(source, "image_std", processor.std_);
  return processor;
}

at::Tensor ClipImageProcessor::operator()(const video::Image& image) const {
  std::int64_t height = image.height;
  std::int64_t width = image.width;
  if (std::max(height, width) > kLongestRatio * std::min(height, width)) {
    throw PromptError("the image is " + image.size_text() + " pixels: one side is more than " +
                      std::to_string(kLongestRatio) +
                      " times the other, and the vision tower would see only a sliver of it; crop it first");
  }
  Size target{height, width};
  if (resize_) target = *resize_;
  if (shortest_edge_) {
    const std::int64_t edge = *shortest_edge_;
    target = height <= width ? Size{edge, edge * width / height} : Size{edge * height / width, edge};
  }
  std::vector<std::uint8_t> pixels = detail::pillow_resize(image.rgb, height, width, target.height, target.width);
  height = target.height;
  width = target.width;
  at::Tensor x = at::from_blob(pixels.data(), {height, width, 3}, at::kByte).permute({2, 0, 1}).unsqueeze(0);
  if (crop_) {
    // Where the picture is too small it is set on black, the odd row or column before it.
    const std::int64_t rows = std::max<std::int64_t>(crop_->height - height, 0);
    const std::int64_t columns = std::max<std::int64_t>(crop_->width - width, 0);
    if (rows + columns > 0) x = at::constant_pad_nd(x, {(columns + 1) / 2, columns / 2, (rows + 1) / 2, rows / 2});
    x = x.narrow(2, (x.size(2) - crop_->height) / 2, crop_->height);
    x = x.narrow(3, (x.size(3) - crop_->width) / 2, crop_->width);
  }
  x = x.to(at::kFloat).contiguous() * rescale_;  // a copy: `pixels` ends here
  if (!normalize_) return x;
  const auto channel_wise = [](const std::array<double, 3>& values) {
    return at::tensor(at::ArrayRef<double>(values), at::kFloat).view({1, 3, 1, 1});
  };
  return (x - channel_wise(mean_)) / channel_wise(std_);
}

}  // namespace reelfarm::text_encoders

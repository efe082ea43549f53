#include "pipeline/windows/size.hpp"

#include <charconv>

namespace reelfarm::windows {
namespace {

int round_up(int value) {
  return (value + kSizeMultiple - 1) / kSizeMultiple * kSizeMultiple;
}

bool parse_side(std::string_view text, int& side) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), side);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string to_string(const Size& size) {
  return std::to_string(size.width) + "x" + std::to_string(size.height);
}

Size parse_size(std::string_view text) {
  Size size;
  const std::size_t cross = text.find('x');
  if (cross == std::string_view::npos || !parse_side(text.substr(0, cross), size.width) ||
      !parse_side(text.substr(cross + 1), size.height)) {
    throw InvalidRequest("size '" + std::string(text) + "' cannot be read: write width x height, such as 960x544");
  }
  check_size(size);
  return size;
}

void check_size(const Size& size) {
  for (const int side : {size.width, size.height}) {
    if (side < kMinSide || side > kMaxSide) {
      throw InvalidRequest("size " + to_string(size) + ": each side must be from " + std::to_string(kMinSide) + " to " +
                           std::to_string(kMaxSide) + " pixels");
    }
  }
  if (size.width % 2 != 0 || size.height % 2 != 0) {
    throw InvalidRequest("size " + to_string(size) + ": both sides must be even; nearest: " +
                         to_string(Size{size.width / 2 * 2, size.height / 2 * 2}));
  }
}

RenderSize plan_size(const Size& asked) {
  check_size(asked);
  const Size rendered{round_up(asked.width), round_up(asked.height)};
  return {asked, rendered, (rendered.width - asked.width) / 2, (rendered.height - asked.height) / 2};
}

}  // namespace reelfarm::windows

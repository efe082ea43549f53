#pragma once

#include <string>
#include <string_view>

#include "pipeline/windows/errors.hpp"

namespace reelfarm::windows {

/// 8 pixels a latent, 2 latents a patch of the transformer.
inline constexpr int kSizeMultiple = 16;
inline constexpr int kMinSide = 16;
inline constexpr int kMaxSide = 8192;

/// Pixels of a frame; written width x height.
struct Size {
  int width = 0;
  int height = 0;

  bool operator==(const Size&) const = default;
};

/// "960x544"
std::string to_string(const Size& size);

/// Reads "960x544"; throws InvalidRequest on anything else, and on sizes that check_size refuses.
Size parse_size(std::string_view text);

/// Takes any even size from 16 to 8192 a side; throws InvalidRequest.
void check_size(const Size& size);

/// How a size is rendered: at the next multiple of 16, then cropped to the asked size at (crop_x, crop_y), centred.
struct RenderSize {
  Size asked;
  Size rendered;
  int crop_x = 0;
  int crop_y = 0;

  bool cropped() const { return !(asked == rendered); }
};

/// Throws InvalidRequest as check_size does.
RenderSize plan_size(const Size& asked);

}  // namespace reelfarm::windows

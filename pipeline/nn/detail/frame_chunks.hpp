#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>

namespace reelfarm::nn::detail {

/// Calls `work(first, count)` over the frames of a video (N, C, T, H, W), so many at a time that what is fp32 in
/// between stays below 512 MB.
template <typename Work>
void for_some_frames(const at::Tensor& video, const Work& work) {
  constexpr std::int64_t kBetweenElements = std::int64_t{1} << 27;
  const std::int64_t frames = video.size(2);
  const std::int64_t at_once = std::max<std::int64_t>(1, kBetweenElements * frames / video.numel());
  for (std::int64_t first = 0; first < frames; first += at_once) work(first, std::min(at_once, frames - first));
}

}  // namespace reelfarm::nn::detail

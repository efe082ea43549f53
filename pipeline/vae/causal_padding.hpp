#pragma once

#include <array>
#include <cstdint>

#include <ATen/core/Tensor.h>

namespace reelfarm::vae {

/// A channels-last buffer with room for causal replicate padding round a video: `time` frames before the first and
/// `space` pixels on each side. Whoever computes a convolution's input writes it into inside() directly, so that
/// padding costs no pass over memory.
class PaddedVideo {
 public:
  /// sizes: (N, C, T, H, W) of the video inside.
  PaddedVideo(std::array<std::int64_t, 5> sizes, const at::TensorOptions& options, std::int64_t time,
              std::int64_t space);
  /// Copies `video` into a new buffer and fills its borders.
  PaddedVideo(const at::Tensor& video, std::int64_t time, std::int64_t space);

  /// The part that the video fills, (N, C, T, H, W), a view.
  at::Tensor inside() const;

  /// Copies the outermost pixels and the first frame outwards. Call it once inside() is written.
  void replicate_borders() const;

  /// (N, C, T + time, H + 2 space, W + 2 space).
  const at::Tensor& whole() const { return whole_; }

 private:
  at::Tensor whole_;
  std::int64_t time_;
  std::int64_t space_;
};

}  // namespace reelfarm::vae

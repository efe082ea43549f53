#pragma once

#include <ATen/core/Tensor.h>

namespace reelfarm::vae {

/// Decoded samples to display range: clamp(x / 2 + 0.5, 0, 1), one RGB image after the other.
/// sample: (1, 3, F, H, W), about [-1, 1] -> (F, H, W, 3) fp32 in [0, 1] on the same device.
at::Tensor unit_frames(const at::Tensor& sample);

/// Rounds display-range frames to 8 bits, to nearest. frames: (F, H, W, 3) fp32 in [0, 1] -> uint8.
at::Tensor quantise_frames(const at::Tensor& frames);

/// Whether no value is NaN or infinite. frames: as unit_frames gives them.
bool all_finite(const at::Tensor& frames);

/// 8-bit frames as the encoder wants them: x / 255 * 2 - 1. frames: (F, H, W, 3) uint8 -> (1, 3, F, H, W) fp32.
at::Tensor frames_to_sample(const at::Tensor& frames);

}  // namespace reelfarm::vae

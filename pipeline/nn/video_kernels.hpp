#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace reelfarm::nn {

// The CUDA plug-in's passes over a video (1, C, T, H, W) in bf16, channels last in memory. Where plugin_takes_video()
// says no of one of the tensors, callers use LibTorch's operators.

/// Whether the plug-in is loaded, and this is such a video with channels in multiples of 8.
bool plugin_takes_video(const at::Tensor& video);

/// padded = silu(x * scale + shift), or x where scale is undefined, with replicated borders of `time` frames before and
/// `space` pixels around. scale, shift: (C) fp32. padded: (1, C, time + T, H + 2 space, W + 2 space).
void launch_pad_video(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift, const at::Tensor& padded,
                      std::int64_t time, std::int64_t space);

/// y += x + bias, rounded once. bias: C fp32 values.
void launch_biased_add(const at::Tensor& y, const at::Tensor& x, const at::Tensor& bias);

/// vae::interleave_phases into `out`; bias: fp32, one value per channel of `phases`, or undefined.
void launch_interleave_phases(const at::Tensor& phases, const at::Tensor& bias, const at::Tensor& out, bool time,
                              bool space);

}  // namespace reelfarm::nn

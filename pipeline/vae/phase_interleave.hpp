#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace reelfarm::vae {

/// Puts the phases of an upsampling convolution where they belong. Channel group p of `phases` holds, in this order,
/// the phases of time (first copy of a frame, second copy), row (even, odd) and column (even, odd), each only where
/// that axis is doubled. An odd row or column is found one position further in a spatial axis, which is one longer than
/// the small video's for that. The first copy of frame 0 is left out. phases: (N, P * C, T, h + 1, w + 1), or h, w when
/// space is not doubled -> (N, C, 2 T - 1 or T, 2 h or h, 2 w or w). `bias`, where given, is added: fp32 (1, P * C, 1,
/// 1, 1) on the device of `phases`.
at::Tensor interleave_phases(const at::Tensor& phases, std::int64_t channels, bool time, bool space,
                             const at::Tensor& bias = {});

}  // namespace reelfarm::vae

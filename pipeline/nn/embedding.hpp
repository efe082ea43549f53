#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace reelfarm::nn {

/// Sinusoidal embedding of (diffusion) time: cos terms first, then sin. t: (B) fp32 -> (B, dim) fp32; dim is even.
/// Source: arXiv 1706.03762 section 3.5, in the order of arXiv 2006.11239's reference with flipped halves.
at::Tensor timestep_embedding(const at::Tensor& t, std::int64_t dim, double max_period = 10000.0);

}  // namespace reelfarm::nn

#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace reelfarm::dit {

/// Standard normal latents (1, channels, frames, height, width), fp32 on the CPU: the counter noise of `seed`, whose
/// first latent frame has the number `first_frame`. The same for any number of threads.
at::Tensor noise_latents(std::uint64_t seed, std::int64_t channels, std::int64_t first_frame, std::int64_t frames,
                         std::int64_t height, std::int64_t width);

}  // namespace reelfarm::dit

#pragma once

#include "bench/parallel/timing.hpp"
#include "pipeline/vae/causal_vae.hpp"

namespace reelfarm::bench {

/// Collective. A decode to 8-bit frames in host memory by one rank and by all, with the default tile plan. Rank 0
/// prints.
void decode_scaling(const vae::CausalVae& vae, parallel::ProcessGroup& world, const Clip& clip);

}  // namespace reelfarm::bench

#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "bench/parallel/timing.hpp"
#include "pipeline/vae/causal_vae.hpp"

namespace reelfarm::bench {

/// Collective. A decode to 8-bit frames in host memory by all ranks: {"seconds", "plan", "tiles", "peak_gib"} on rank
/// 0.
nlohmann::json decode_scaling(const vae::CausalVae& vae, parallel::ProcessGroup& world, const Clip& clip,
                              const std::string& plan);

}  // namespace reelfarm::bench

#pragma once

#include <string_view>

#include "parallel/process_group.hpp"
#include "pipeline/vae/causal_vae.hpp"

namespace reelfarm::vae {

/// Collective. CausalVae::encode of rank 0's video and plan, whose tiles all ranks share, with the same weights: the
/// bits are those of one rank. Returns the latents on rank 0, nothing on the others, which give {}. `on_progress`
/// counts the blocks of this rank and must not throw: others wait for it. Worth it where the plan has several tiles,
/// since a tile is never cut. Throws as CausalVae::encode does, on every rank, and parallel::GroupError.
at::Tensor encode_together(const CausalVae& vae, parallel::ProcessGroup& group, const at::Tensor& video,
                           std::string_view plan, const OnProgress& on_progress = {});

}  // namespace reelfarm::vae

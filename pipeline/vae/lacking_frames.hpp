#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "pipeline/vae/tile_plan.hpp"

namespace reelfarm::vae {

/// Whether somebody has a frame already; empty: nobody has any.
using HaveFrame = std::function<bool(std::int64_t frame)>;

/// Calls act(first, count) for each run of frames of [first, first + count) that are lacking, ascending.
void for_lacking(const HaveFrame& have, std::int64_t first, std::int64_t count,
                 const std::function<void(std::int64_t first, std::int64_t count)>& act);

/// tile_order without the tiles that no lacking frame comes from.
std::vector<std::size_t> needed_tiles(const TilePlan& plan, DecodeOrder order, std::int64_t tail_frames,
                                      const HaveFrame& have);

}  // namespace reelfarm::vae

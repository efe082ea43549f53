#pragma once

#include <cstddef>
#include <vector>

#include "pipeline/vae/tile_plan.hpp"

namespace reelfarm::vae {

/// One tile of a plan and the rank that decodes it.
struct TileJob {
  std::size_t frames = 0;  ///< index into plan.frames, plan.rows, plan.columns
  std::size_t row = 0;
  std::size_t column = 0;
  int rank = 0;
};

/// Frame tiles that all ranks work on together, before any of the next wave.
struct TileWave {
  struct FrameTile {
    std::size_t index = 0;  ///< into plan.frames
    int home = 0;           ///< the rank that joins its rows and columns: one that decodes some of it
  };
  std::vector<FrameTile> tiles;
  std::vector<TileJob> jobs;  ///< a rank does its own in this order
};

/// Cuts `order`, indices into plan.frames, into waves that give every rank something to do, and shares the jobs of
/// each: the largest first, each to the rank with the least work so far. A pure function, the same on all ranks.
std::vector<TileWave> tile_waves(const TilePlan& plan, const std::vector<std::size_t>& order, int ranks);

}  // namespace reelfarm::vae

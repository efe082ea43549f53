#pragma once

#include <cstddef>
#include <cstdint>
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

/// What rank 0 does of the tiles.
enum class LeadersShare : std::uint8_t {
  like_others,
  /// Where no wave more is needed for it, rank 0 works on the first wave and, as long as may be, on no other: it has
  /// the next window's image and prompt to encode, which starts from the first wave's frames.
  least,
};

/// Cuts `order`, indices into plan.frames, into waves that give every rank something to do (but for what rank 0 is
/// spared), and shares the jobs of each: the largest first, each to the rank with the least work so far. A pure
/// function, the same on all ranks.
std::vector<TileWave> tile_waves(const TilePlan& plan, const std::vector<std::size_t>& order, int ranks,
                                 LeadersShare leader = LeadersShare::like_others);

}  // namespace reelfarm::vae

#include "pipeline/vae/lacking_frames.hpp"

#include <algorithm>

namespace reelfarm::vae {
namespace {

bool lacks_any(const HaveFrame& have, std::int64_t first, std::int64_t count) {
  bool any = false;
  for_lacking(have, first, count, [&](std::int64_t, std::int64_t) { any = true; });
  return any;
}

/// Whether any frame that is lacking comes from this tile: its own, or those at the start of the next that both make.
bool is_needed(const TilePlan& plan, std::size_t tile, const HaveFrame& have) {
  const AxisTile& own = plan.frames[tile];
  if (lacks_any(have, own.output_begin, own.keep)) return true;
  if (tile + 1 == plan.frames.size()) return false;
  const AxisTile& next = plan.frames[tile + 1];
  return lacks_any(have, next.output_begin, next.blend);
}

}  // namespace

void for_lacking(const HaveFrame& have, std::int64_t first, std::int64_t count,
                 const std::function<void(std::int64_t first, std::int64_t count)>& act) {
  const auto lacks = [&](std::int64_t frame) { return !have || !have(frame); };
  const std::int64_t end = first + count;
  for (std::int64_t begin = first; begin < end;) {
    std::int64_t stop = begin;
    while (stop < end && lacks(stop)) ++stop;
    if (stop > begin) act(begin, stop - begin);
    begin = std::max(stop, begin + 1);
  }
}

std::vector<std::size_t> needed_tiles(const TilePlan& plan, DecodeOrder order, std::int64_t tail_frames,
                                      const HaveFrame& have) {
  std::vector<std::size_t> tiles = tile_order(plan, order, tail_frames);
  std::erase_if(tiles, [&](std::size_t tile) { return !is_needed(plan, tile, have); });
  return tiles;
}

}  // namespace reelfarm::vae

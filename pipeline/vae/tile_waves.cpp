#include "pipeline/vae/tile_waves.hpp"

#include <algorithm>
#include <cstdint>

namespace reelfarm::vae {
namespace {

std::int64_t length(const AxisTile& tile) {
  return tile.input_end - tile.input_begin;
}

void share(const TilePlan& plan, TileWave& wave, int ranks) {
  const auto work = [&](const TileJob& job) {
    return length(plan.frames[job.frames]) * length(plan.rows[job.row]) * length(plan.columns[job.column]);
  };
  std::ranges::stable_sort(wave.jobs, std::ranges::greater(), work);
  std::vector<std::int64_t> load(static_cast<std::size_t>(ranks));
  for (TileJob& job : wave.jobs) {
    const auto least = std::ranges::min_element(load);
    *least += work(job);
    job.rank = static_cast<int>(least - load.begin());
  }
  for (TileWave::FrameTile& tile : wave.tiles) {
    tile.home = std::ranges::find(wave.jobs, tile.index, &TileJob::frames)->rank;
  }
}

}  // namespace

std::vector<TileWave> tile_waves(const TilePlan& plan, const std::vector<std::size_t>& order, int ranks) {
  std::vector<TileWave> waves;
  for (const std::size_t index : order) {
    if (waves.empty() || waves.back().jobs.size() >= static_cast<std::size_t>(ranks)) waves.emplace_back();
    TileWave& wave = waves.back();
    wave.tiles.push_back({index, 0});
    for (std::size_t row = 0; row < plan.rows.size(); ++row) {
      for (std::size_t column = 0; column < plan.columns.size(); ++column) {
        wave.jobs.push_back({index, row, column, 0});
      }
    }
  }
  for (TileWave& wave : waves) share(plan, wave, ranks);
  return waves;
}

}  // namespace reelfarm::vae

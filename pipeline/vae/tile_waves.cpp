#include "pipeline/vae/tile_waves.hpp"

#include <algorithm>

namespace reelfarm::vae {
namespace {

std::int64_t length(const AxisTile& tile) {
  return tile.input_end - tile.input_begin;
}

/// Among the ranks from `first_rank` on.
void share(const TilePlan& plan, TileWave& wave, int first_rank, int ranks) {
  const auto work = [&](const TileJob& job) {
    return length(plan.frames[job.frames]) * length(plan.rows[job.row]) * length(plan.columns[job.column]);
  };
  std::ranges::stable_sort(wave.jobs, std::ranges::greater(), work);
  std::vector<std::int64_t> load(static_cast<std::size_t>(ranks - first_rank));
  for (TileJob& job : wave.jobs) {
    const auto least = std::ranges::min_element(load);
    *least += work(job);
    job.rank = first_rank + static_cast<int>(least - load.begin());
  }
  for (TileWave::FrameTile& tile : wave.tiles) {
    tile.home = std::ranges::find(wave.jobs, tile.index, &TileJob::frames)->rank;
  }
}

/// Of waves with one tile a rank that follow the first, how many come first that rank 0 can be spared.
std::size_t waves_without_leader(std::size_t tiles, std::size_t ranks) {
  if (ranks < 2 || tiles <= ranks) return 0;
  const std::size_t rest = tiles - ranks;
  const std::size_t waves = (rest + ranks - 1) / ranks;
  const std::size_t places = waves * ranks;
  return std::min(waves, places - rest);
}

}  // namespace

std::vector<TileWave> tile_waves(const TilePlan& plan, const std::vector<std::size_t>& order, int ranks,
                                 LeadersShare leader) {
  const std::size_t jobs_of_tile = plan.rows.size() * plan.columns.size();
  const std::size_t spared = leader == LeadersShare::least && jobs_of_tile == 1
                                 ? waves_without_leader(order.size(), static_cast<std::size_t>(ranks))
                                 : 0;
  // Waves are numbered from 0; those from 1 to `spared` are of the other ranks.
  const auto first_rank = [&](std::size_t wave) { return wave >= 1 && wave <= spared ? 1 : 0; };
  std::vector<TileWave> waves;
  for (const std::size_t index : order) {
    const auto full = [&] {
      const auto sharing = static_cast<std::size_t>(ranks - first_rank(waves.size() - 1));
      return waves.back().jobs.size() >= sharing;
    };
    if (waves.empty() || full()) waves.emplace_back();
    TileWave& wave = waves.back();
    wave.tiles.push_back({index, 0});
    for (std::size_t row = 0; row < plan.rows.size(); ++row) {
      for (std::size_t column = 0; column < plan.columns.size(); ++column) {
        wave.jobs.push_back({index, row, column, 0});
      }
    }
  }
  for (std::size_t i = 0; i < waves.size(); ++i) share(plan, waves[i], first_rank(i), ranks);
  return waves;
}

}  // namespace reelfarm::vae

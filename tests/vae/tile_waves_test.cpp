#include "pipeline/vae/tile_waves.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <vector>

#include "pipeline/vae/config.hpp"

namespace reelfarm::vae {
namespace {

TEST(TileWaves, GiveEveryTileToOneRankInTheOrderAskedFor) {
  const VaeConfig config;
  for (const char* name : {"whole", "diffusers", "diffusers-spatial", "medium", "long", "tencent"}) {
    for (const std::int64_t latents : {1, 5, 21, 31}) {
      const TilePlan plan = decode_plan(config, name, latents, 68, 120);
      const std::vector<std::size_t> order = tile_order(plan, DecodeOrder::last_first, 5);
      for (int ranks = 1; ranks <= 16; ++ranks) {
        std::vector<std::size_t> found;
        std::set<std::tuple<std::size_t, std::size_t, std::size_t>> tiles;
        for (const TileWave& wave : tile_waves(plan, order, ranks)) {
          std::vector<std::int64_t> load(static_cast<std::size_t>(ranks));
          std::int64_t largest = 0;
          for (const TileJob& job : wave.jobs) {
            tiles.emplace(job.frames, job.row, job.column);
            const auto side = [](const AxisTile& tile) { return tile.input_end - tile.input_begin; };
            const std::int64_t work =
                side(plan.frames[job.frames]) * side(plan.rows[job.row]) * side(plan.columns[job.column]);
            load.at(static_cast<std::size_t>(job.rank)) += work;
            largest = std::max(largest, work);
          }
          // No rank has more than the least loaded one by more than a tile.
          EXPECT_LE(*std::ranges::max_element(load) - *std::ranges::min_element(load), largest);
          for (const TileWave::FrameTile& tile : wave.tiles) {
            found.push_back(tile.index);
            EXPECT_TRUE(std::ranges::any_of(wave.jobs, [&](const TileJob& job) {
              return job.frames == tile.index && job.rank == tile.home;
            })) << "a home decodes some of its frame tile";
          }
        }
        EXPECT_EQ(found, order);
        EXPECT_EQ(tiles.size(), plan.tiles());
      }
    }
  }
}

/// Tiles of each rank in each wave.
std::vector<std::vector<std::ptrdiff_t>> counts(std::int64_t latents, int ranks, LeadersShare leader) {
  const TilePlan plan = decode_plan(VaeConfig(), "diffusers", latents, 68, 120);
  std::vector<std::vector<std::ptrdiff_t>> result;
  for (const TileWave& wave : tile_waves(plan, tile_order(plan, DecodeOrder::last_first, 9), ranks, leader)) {
    std::vector<std::ptrdiff_t> of_wave;
    for (int rank = 0; rank < ranks; ++rank) of_wave.push_back(std::ranges::count(wave.jobs, rank, &TileJob::rank));
    result.push_back(of_wave);
  }
  return result;
}

using Counts = std::vector<std::vector<std::ptrdiff_t>>;

TEST(TileWaves, ALeaderIsSparedWhereThatCostsNoWave) {
  // 121 frames are ten tiles, 81 seven.
  EXPECT_EQ(counts(31, 4, LeadersShare::least), (Counts{{1, 1, 1, 1}, {0, 1, 1, 1}, {0, 1, 1, 1}}));
  EXPECT_EQ(counts(31, 8, LeadersShare::least), (Counts{{1, 1, 1, 1, 1, 1, 1, 1}, {0, 1, 1, 0, 0, 0, 0, 0}}));
  EXPECT_EQ(counts(31, 2, LeadersShare::least), (Counts{{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}));
  EXPECT_EQ(counts(21, 2, LeadersShare::least), (Counts{{1, 1}, {0, 1}, {1, 1}, {1, 1}}));
  EXPECT_EQ(counts(21, 4, LeadersShare::least), (Counts{{1, 1, 1, 1}, {0, 1, 1, 1}}));
  EXPECT_EQ(counts(21, 8, LeadersShare::least), (Counts{{1, 1, 1, 1, 1, 1, 1, 0}}));
  EXPECT_EQ(counts(31, 4, LeadersShare::like_others), (Counts{{1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 0, 0}}));
  for (const std::int64_t latents : {1, 5, 9, 13, 17, 21, 25, 31, 41}) {
    for (int ranks = 1; ranks <= 16; ++ranks) {
      const Counts spared = counts(latents, ranks, LeadersShare::least);
      const Counts alike = counts(latents, ranks, LeadersShare::like_others);
      EXPECT_EQ(spared.size(), alike.size()) << latents << " latent frames, " << ranks << " ranks";
      for (const auto& of_wave : spared) EXPECT_LE(std::ranges::max(of_wave), 1);
    }
  }
}

}  // namespace
}  // namespace reelfarm::vae

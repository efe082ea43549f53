#include "pipeline/vae/tile_waves.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "pipeline/vae/config.hpp"

namespace reelfarm::vae {
namespace {

TEST(TileWaves, GiveEveryTileToOneRankInTheOrderAskedFor) {
  const VaeConfig config;
  for (const char* name : {"whole", "diffusers", "diffusers-spatial", "long", "tencent"}) {
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

}  // namespace
}  // namespace reelfarm::vae

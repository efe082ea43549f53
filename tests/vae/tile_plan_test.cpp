#include "pipeline/vae/tile_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace reelfarm::vae {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

const VaeConfig kConfig;

// Whoever wrote the tile at `output`, counted from the first tile on: every output must be kept exactly once, and a
// blended one must be in the unblended end of the tile before.
void expect_covers(const std::vector<AxisTile>& tiles, std::int64_t outputs, std::int64_t in_unit,
                   std::int64_t out_unit, bool time) {
  std::int64_t next = 0;
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    const AxisTile& tile = tiles[i];
    EXPECT_EQ(tile.output_begin, next);
    EXPECT_GE(tile.keep, 1);
    EXPECT_LE(tile.blend, tile.keep);
    const auto output_of = [&](const AxisTile& t) {
      const std::int64_t inputs = t.input_end - t.input_begin;
      return time ? (inputs - 1) / in_unit * out_unit + 1 - t.drop : inputs / in_unit * out_unit;
    };
    EXPECT_LE(tile.keep, output_of(tile));
    if (i > 0) {
      const AxisTile& before = tiles[i - 1];
      EXPECT_EQ(before.output_begin + output_of(before), tile.output_begin + tile.blend)
          << "the tile before ends where blending ends";
      EXPECT_GE(output_of(before) - tile.blend, before.blend) << "its end is not itself a blend";
    }
    next += tile.keep;
  }
  EXPECT_EQ(next, outputs);
}

TEST(TilePlan, WholeIsOneTileWhateverTheSize) {
  const TilePlan plan = decode_plan(kConfig, "whole", 31, 68, 120);
  EXPECT_EQ(plan.tiles(), 1U);
  EXPECT_EQ(plan.frames[0], (AxisTile{.input_begin = 0, .input_end = 31, .keep = 121}));
  EXPECT_EQ(plan.columns[0].keep, 960);
}

TEST(TilePlan, DiffusersCutsMoreThanFourLatentsInTimeOnly) {
  EXPECT_EQ(decode_plan(kConfig, "diffusers", 4, 68, 120).tiles(), 1U);
  const TilePlan plan = decode_plan(kConfig, "diffusers", 9, 68, 120);
  EXPECT_EQ(plan.rows.size() * plan.columns.size(), 1U);
  EXPECT_THAT(
      plan.frames,
      ElementsAre(AxisTile{.input_begin = 0, .input_end = 5, .keep = 13},
                  AxisTile{.input_begin = 3, .input_end = 8, .output_begin = 13, .drop = 1, .blend = 4, .keep = 12},
                  AxisTile{.input_begin = 6, .input_end = 9, .output_begin = 25, .drop = 1, .blend = 4, .keep = 8}));
}

TEST(TilePlan, ATileThatWouldOnlyRepeatTheLastFrameIsLeftOut) {
  // 31 latents, a tile every 3: the eleventh would begin at the last latent.
  EXPECT_EQ(decode_plan(kConfig, "diffusers", 31, 12, 20).frames.size(), 10U);
}

TEST(TilePlan, SpatialPlansCutBothSidesAsSoonAsOneIsTooLong) {
  const TilePlan plan = decode_plan(kConfig, "diffusers-spatial", 31, 68, 120);
  EXPECT_EQ(plan.frames.size(), 10U);
  EXPECT_EQ(plan.rows.size(), 3U);
  EXPECT_EQ(plan.columns.size(), 5U);
  const TilePlan flat = decode_plan(kConfig, "diffusers-spatial", 1, 26, 33);
  EXPECT_EQ(flat.rows.size(), 2U);
  EXPECT_EQ(flat.rows[1].keep, 16) << "two latents, both of them blended";
  EXPECT_EQ(flat.rows[1].blend, 16);
  EXPECT_EQ(decode_plan(kConfig, "diffusers-spatial", 1, 32, 32).tiles(), 1U);
}

TEST(TilePlan, LongTilesDoThreeQuartersOfTheWorkAtFiveSeconds) {
  const auto latents_of = [](std::string_view name, std::int64_t latents) {
    std::int64_t sum = 0;
    for (const AxisTile& tile : decode_plan(kConfig, name, latents, 68, 120).frames) {
      sum += tile.input_end - tile.input_begin;
    }
    return sum;
  };
  EXPECT_EQ(latents_of("diffusers", 21), 33);
  EXPECT_EQ(latents_of("long", 21), 25);
  EXPECT_EQ(latents_of("diffusers", 31), 49);
  EXPECT_EQ(latents_of("long", 31), 39);
  EXPECT_EQ(decode_plan(kConfig, "long", 31, 68, 120).tiles(), 5U) << "frames are not cut";
}

TEST(TilePlan, MediumTilesOfFiveSecondsAreOneForEachGpuOfANode) {
  const TilePlan plan = decode_plan(kConfig, "medium", 31, 68, 120);
  EXPECT_EQ(plan.tiles(), 8U) << "frames are not cut";
  EXPECT_EQ(plan.frames[1],
            (AxisTile{.input_begin = 4, .input_end = 10, .output_begin = 17, .drop = 1, .blend = 4, .keep = 16}));
  std::int64_t latents = 0;
  for (const AxisTile& tile : plan.frames) latents += tile.input_end - tile.input_begin;
  EXPECT_EQ(latents, 45) << "four fewer than with the plan diffusers";
}

TEST(TilePlan, TencentTilesAtFiveSecondsOf540pAreFortyFive) {
  EXPECT_EQ(decode_plan(kConfig, "tencent", 31, 68, 120).tiles(), 45U);
  EXPECT_EQ(decode_plan(kConfig, "tencent", 16, 32, 32).tiles(), 1U);
}

TEST(TilePlan, EveryOutputIsKeptOnceAndBlendsLineUpForAllSizes) {
  for (const std::string_view name : tile_plan_names()) {
    for (std::int64_t latents = 1; latents <= 70; ++latents) {
      const TilePlan decode = decode_plan(kConfig, name, latents, latents + 3, 2 * latents);
      expect_covers(decode.frames, kConfig.sample_frames(latents), 1, 4, true);
      expect_covers(decode.rows, 8 * (latents + 3), 1, 8, false);
      expect_covers(decode.columns, 16 * latents, 1, 8, false);
      const TilePlan encode = encode_plan(kConfig, name, kConfig.sample_frames(latents), 8 * latents, 8 * latents + 24);
      expect_covers(encode.frames, latents, 4, 1, true);
      expect_covers(encode.rows, latents, 8, 1, false);
      expect_covers(encode.columns, latents + 3, 8, 1, false);
      ASSERT_FALSE(testing::Test::HasFailure()) << name << " " << latents;
    }
  }
}

TEST(TilePlan, UnknownNamesAndImpossibleSizesAreNamed) {
  EXPECT_THAT(
      [] { decode_plan(kConfig, "diffuser", 5, 5, 5); },
      ThrowsMessage<VaeError>(AllOf(HasSubstr("'diffuser'"), HasSubstr("whole, diffusers, diffusers-spatial"))));
  EXPECT_THAT([] { decode_plan(kConfig, "whole", 0, 5, 5); }, ThrowsMessage<VaeError>(HasSubstr("0 frames")));
  EXPECT_THAT([] { encode_plan(kConfig, "whole", 8, 40, 40); }, ThrowsMessage<VaeError>(HasSubstr("4k + 1")));
  EXPECT_THAT([] { encode_plan(kConfig, "whole", 9, 44, 40); },
              ThrowsMessage<VaeError>(AllOf(HasSubstr("40x44"), HasSubstr("multiples of 8"))));
}

TEST(TileOrder, ForwardIsAscending) {
  EXPECT_THAT(tile_order(decode_plan(kConfig, "diffusers", 9, 5, 5), DecodeOrder::forward, 1), ElementsAre(0, 1, 2));
}

TEST(TileOrder, TheTailComesFirstWithJustTheTilesItNeeds) {
  const TilePlan plan = decode_plan(kConfig, "diffusers", 31, 5, 5);  // last tile: frames 109..120, 109..112 blended
  EXPECT_EQ(tile_order(plan, DecodeOrder::last_first, 1).front(), 9U);
  EXPECT_EQ(tile_order(plan, DecodeOrder::last_first, 1)[1], 0U);
  EXPECT_EQ(tile_order(plan, DecodeOrder::last_first, 8)[1], 0U);
  EXPECT_THAT(tile_order(plan, DecodeOrder::last_first, 9), ElementsAre(8, 9, 0, 1, 2, 3, 4, 5, 6, 7));
  // 11 latents: the last tile has four frames, all blended, so even one frame needs the tile before.
  EXPECT_THAT(tile_order(decode_plan(kConfig, "diffusers", 11, 5, 5), DecodeOrder::last_first, 1),
              ElementsAre(2, 3, 0, 1));
  EXPECT_THAT(tile_order(plan, DecodeOrder::last_first, 1000), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
}

}  // namespace
}  // namespace reelfarm::vae

#include "pipeline/stitcher/seam.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "pipeline/stitcher/stitcher.hpp"
#include "tests/stitcher/synthetic.hpp"

namespace reelfarm::stitcher {
namespace {

using testing::Image;
using testing::texture;

std::vector<Image> clip(std::int64_t first, std::int64_t count, std::uint32_t variant = 0, int amplitude = 0) {
  std::vector<Image> frames;
  for (std::int64_t t = first; t < first + count; ++t) frames.push_back(texture(64, 48, t, variant, amplitude));
  return frames;
}

std::vector<Image> recolored(std::vector<Image> frames, double gain, double offset) {
  for (Image& frame : frames) {
    for (std::uint8_t& value : frame.rgb) {
      value = static_cast<std::uint8_t>(std::clamp(std::lround(value * gain + offset * 255), 0L, 255L));
    }
  }
  return frames;
}

TEST(ColorMatch, IsExactlyTheIdentityWhereOverlapsAgree) {
  const auto frames = clip(0, 5);
  EXPECT_TRUE(match_color(frames, frames).identity());
  // Two decodes of the same frames differ by noise, which is no colour.
  EXPECT_TRUE(match_color(clip(0, 5, 1, 2), clip(0, 5, 2, 2)).identity());
  const std::vector<Image> black(3, testing::flat(32, 32, 0));
  EXPECT_TRUE(match_color(black, black).identity());
}

TEST(ColorMatch, RecoversAKnownGainAndOffsetWithinOnePercent) {
  for (const auto& [gain, offset] : {std::pair(0.95, 0.02), std::pair(1.06, -0.03), std::pair(1.0, 0.04),
                                     std::pair(0.93, 0.0), std::pair(1.02, 0.01)}) {
    const auto earlier = clip(0, 5);
    const ColorMatch match = match_color(earlier, recolored(earlier, gain, offset));
    for (std::size_t c = 0; c < 3; ++c) {
      EXPECT_NEAR(match.gain[c], 1 / gain, 0.01) << gain << " " << offset;
      EXPECT_NEAR(match.offset[c], -offset / gain, 0.01) << gain << " " << offset;
    }
  }
}

TEST(ColorMatch, IsClamped) {
  const auto earlier = clip(0, 3);
  const ColorMatch brighter = match_color(earlier, recolored(earlier, 0.5, 0));
  const ColorMatch shifted = match_color(earlier, recolored(earlier, 1, 0.2));
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_DOUBLE_EQ(brighter.gain[c], kLargestGain);
    EXPECT_DOUBLE_EQ(shifted.offset[c], -kLargestOffset);
  }
}

TEST(Seam, PsnrFollowsItsDefinition) {
  EXPECT_DOUBLE_EQ(psnr_db(testing::flat(8, 8, 9), testing::flat(8, 8, 9)), kIdenticalDb);
  EXPECT_NEAR(psnr_db(testing::flat(8, 8, 100), testing::flat(8, 8, 110)), 20 * std::log10(25.5), 1e-9);
}

TEST(Seam, BlendsWhatAgreesAndCutsWhatDoesNot) {
  const StitchOptions options;
  const Seam same = plan_seam(clip(0, 9, 1, 3), clip(0, 9, 2, 3), options);
  EXPECT_EQ(same.merge, Merge::kBlend);
  EXPECT_GT(same.overlap_psnr_db, 30);
  const Seam other = plan_seam(clip(0, 9), clip(40, 9), options);
  EXPECT_EQ(other.merge, Merge::kCut);
  EXPECT_LT(other.overlap_psnr_db, 24);
  EXPECT_TRUE(other.color.identity());
  EXPECT_EQ(plan_seam(clip(0, 1), clip(40, 1), options).merge, Merge::kKeep);
}

TEST(Seam, AColourShiftAloneIsNoReasonToCut) {
  const auto earlier = clip(0, 9);
  const auto later = recolored(earlier, 0.92, -0.03);
  const Seam seam = plan_seam(earlier, later, {});
  EXPECT_LT(seam.overlap_psnr_db, 24);
  EXPECT_GT(seam.matched_psnr_db, 40);
  EXPECT_EQ(seam.merge, Merge::kBlend);
}

TEST(Seam, CutsWhereTheLaterWindowGoesOnBest) {
  // The later window shows other pictures until its frame 6, which is what would follow the earlier one's frame 5.
  auto earlier = clip(0, 9);
  auto later = clip(40, 9);
  later[6] = earlier[5];
  const Seam seam = plan_seam(earlier, later, {});
  ASSERT_EQ(seam.merge, Merge::kCut);
  EXPECT_EQ(*seam.cut, 5);
  std::vector<double> shares;
  for (std::int64_t k = 0; k < 9; ++k) shares.push_back(later_share(seam, k, 9));
  EXPECT_THAT(shares, ::testing::ElementsAre(0, 0, 0, 0, 0, 1.0 / 3, 2.0 / 3, 1, 1));
}

TEST(Seam, AFadeBetweenNeighbouringLevelsChangesAsMuchInEachFrame) {
  const Image before = testing::flat(64, 48, 100);
  const Image after = testing::flat(64, 48, 101);
  const ColorTable same({}, 1);
  constexpr std::int64_t kCount = 7;  // Eighths, which the 64 thresholds meet exactly.
  Seam seam;
  seam.merge = Merge::kBlend;
  Image last = before;
  for (std::int64_t k = 0; k <= kCount; ++k) {
    const Image now = k == kCount ? after : merge_frames(before, after, later_share(seam, k, kCount), same);
    std::size_t changed = 0;
    for (std::size_t i = 0; i < now.rgb.size(); ++i) {
      EXPECT_GE(now.rgb[i], last.rgb[i]) << "a pixel changes over once";
      changed += now.rgb[i] != last.rgb[i] ? 1 : 0;
    }
    EXPECT_EQ(changed, now.rgb.size() / (kCount + 1)) << "frame " << k;
    last = now;
  }
}

TEST(Seam, WholeLevelsStayAsTheyAre) {
  const auto frames = clip(0, 2);
  const ColorTable same({}, 1);
  EXPECT_EQ(merge_frames(frames[0], frames[0], 1.0 / 3, same).rgb, frames[0].rgb);
  EXPECT_EQ(merge_frames(frames[0], frames[1], 1, same).rgb, frames[1].rgb);
  Image image = frames[1];
  apply(same, image);
  EXPECT_EQ(image.rgb, frames[1].rgb);
}

TEST(Seam, ColourCorrectionFadesOutBeforeTheNextOverlap) {
  const windows::Grid grid = windows::plan({97, 33, 13});
  const auto make = [](std::int64_t j, std::int64_t g) {
    const std::vector<Image> one{texture(64, 48, g)};
    return recolored(one, 1, j == 1 ? 0.03 : 0)[0];
  };
  testing::CollectingSink sink;
  Stitcher stitcher(grid, {}, sink);
  while (!stitcher.complete()) {
    const std::int64_t j = stitcher.next_window();
    const windows::Window window = grid.windows[static_cast<std::size_t>(j)];
    testing::SyntheticSource source(window.frames.count(),
                                    [&](std::int64_t k) { return make(j, window.frames.first + k); });
    stitcher.add_window(source);
  }
  const auto level = [](const Image& image) {
    double sum = 0;
    for (const std::uint8_t value : image.rgb) sum += value;
    return sum / static_cast<double>(image.rgb.size());
  };
  // Window 1 is 7.65 levels brighter. No step between neighbours may show more than its fade over 20 frames and the
  // ramp of the following overlap do.
  double largest = 0;
  for (std::size_t t = 1; t < sink.frames.size(); ++t) {
    const auto g = static_cast<std::int64_t>(t);
    const double motion = level(make(0, g)) - level(make(0, g - 1));
    largest = std::max(largest, std::abs(level(sink.frames[t]) - level(sink.frames[t - 1]) - motion));
  }
  EXPECT_LT(largest, 1.3);
  const StitchReport report = stitcher.report();
  ASSERT_GE(report.seams.size(), 2u);
  EXPECT_NEAR(report.seams[0].seam.color.offset[0], -0.03, 0.003);
  EXPECT_NEAR(report.seams[1].seam.color.offset[0], 0.03, 0.003);
  EXPECT_NEAR(report.windows[1].luma_drift, 7.65, 1.0);
}

TEST(Report, SeesJumpsGhostsAndDrift) {
  const windows::Grid grid = windows::plan({97, 33, 5});
  const auto stitch = [&](const std::function<Image(std::int64_t j, std::int64_t g)>& make,
                          const StitchOptions& options) {
    testing::CollectingSink sink;
    Stitcher stitcher(grid, options, sink);
    while (!stitcher.complete()) {
      const std::int64_t j = stitcher.next_window();
      const windows::Window window = grid.windows[static_cast<std::size_t>(j)];
      testing::SyntheticSource source(window.frames.count(),
                                      [&, j](std::int64_t k) { return make(j, window.frames.first + k); });
      stitcher.add_window(source);
    }
    return stitcher.report();
  };
  const StitchReport good = stitch([](auto, std::int64_t g) { return texture(64, 48, g); }, {});
  EXPECT_EQ(good.frames, 97);
  ASSERT_EQ(good.seams.size(), grid.windows.size() - 1);
  ASSERT_EQ(good.windows.size(), grid.windows.size());
  for (const SeamReport& seam : good.seams) {
    EXPECT_LT(seam.jump, 1.2);
    EXPECT_GT(seam.sharpness, 0.9);
    EXPECT_LT(seam.luma_step, 1);
    EXPECT_EQ(seam.first_frame, grid.windows[static_cast<std::size_t>(seam.window)].frames.first);
  }
  EXPECT_NEAR(good.luma_drift_per_window, 0, 0.5);

  StitchOptions blend_always;
  blend_always.cut_below_db = 0;
  const StitchReport ghosts =
      stitch([](std::int64_t j, std::int64_t g) { return texture(64, 48, g + 12 * j); }, blend_always);
  EXPECT_LT(ghosts.seams[0].sharpness, 0.7);
  EXPECT_LT(ghosts.seams[0].seam.overlap_psnr_db, 24);

  const StitchReport drift = stitch(
      [](std::int64_t j, std::int64_t g) {
        return recolored({texture(64, 48, g)}, 1 + 0.02 * static_cast<double>(j), 0.01 * static_cast<double>(j))[0];
      },
      {});
  EXPECT_NEAR(drift.windows.back().contrast_drift, 1 + 0.02 * static_cast<double>(grid.windows.size() - 1), 0.01);
  EXPECT_GT(drift.luma_drift_per_window, 4);

  const nlohmann::json json = to_json(drift);
  EXPECT_EQ(json["frames"], 97);
  EXPECT_EQ(json["seams"][0]["merge"], "blend");
  for (const char* key : {"overlap_psnr_db", "jump", "luma_step", "sharpness", "gain", "offset", "first_frame"}) {
    EXPECT_TRUE(json["seams"][0].contains(key)) << key;
  }
}

}  // namespace
}  // namespace reelfarm::stitcher

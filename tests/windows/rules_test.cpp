#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "pipeline/windows/frame_rate.hpp"
#include "pipeline/windows/seeds.hpp"
#include "pipeline/windows/size.hpp"

namespace reelfarm::windows {
namespace {

// Golden figures, computed with an independent Python implementation: a change here breaks every published seed.
TEST(Seeds, AreTheSameForEver) {
  EXPECT_EQ(window_seed(0, 0, 0), 2558736989570252433ULL);
  EXPECT_EQ(window_seed(42, 3, 0), 3233633249810115081ULL);
  EXPECT_EQ(window_seed(42, 3, 7), 12335244430711630163ULL);
  EXPECT_EQ(window_seed(18446744073709551615ULL, 11, 2), 9917932313986326640ULL);
}

TEST(Seeds, DifferBetweenWindowsTakesAndNeighbouringJobs) {
  std::set<std::uint64_t> seen;
  for (std::uint64_t job = 0; job < 20; ++job) {
    for (std::uint64_t window = 0; window < 50; ++window) {
      for (std::uint64_t take = 0; take < 10; ++take) seen.insert(window_seed(job, window, take));
    }
  }
  EXPECT_EQ(seen.size(), 20u * 50u * 10u);
  EXPECT_EQ(variant_seed(5, 0), 5u);
  EXPECT_NE(variant_seed(5, 1), 5u);
}

TEST(Size, RendersAtTheNextMultipleOfSixteenAndCropsInTheCentre) {
  const RenderSize exact = plan_size({960, 544});
  EXPECT_FALSE(exact.cropped());
  const RenderSize cropped = plan_size({962, 540});
  EXPECT_EQ(cropped.rendered, (Size{976, 544}));
  EXPECT_EQ(cropped.crop_x, 7);
  EXPECT_EQ(cropped.crop_y, 2);
  for (int side = kMinSide; side <= 400; side += 2) {
    const RenderSize size = plan_size({side, 64});
    EXPECT_EQ(size.rendered.width % 16, 0);
    EXPECT_LT(size.rendered.width - side, 16);
    EXPECT_EQ(2 * size.crop_x + side, size.rendered.width);
  }
}

TEST(Size, RefusesOddTinyHugeAndUnreadable) {
  EXPECT_EQ(parse_size("960x544"), (Size{960, 544}));
  EXPECT_EQ(to_string(Size{960, 544}), "960x544");
  for (const char* text : {"", "960", "960x", "x544", "960x544x3", " 960x544", "960*544", "-960x544", "9e2x544",
                           "99999999999999999999x16", "961x544", "960x545", "14x544", "960x8194", "0x0"}) {
    EXPECT_THROW(parse_size(text), InvalidRequest) << text;
  }
  try {
    parse_size("961x545");
    FAIL();
  } catch (const InvalidRequest& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("nearest: 960x544"));
  }
}

TEST(FrameRate, KeepsFractionsExact) {
  EXPECT_EQ(parse_frame_rate("24"), (FrameRate{24, 1}));
  EXPECT_EQ(parse_frame_rate("24000/1001"), (FrameRate{24000, 1001}));
  EXPECT_EQ(parse_frame_rate("23.976"), (FrameRate{24000, 1001}));
  EXPECT_EQ(parse_frame_rate("12.5"), (FrameRate{25, 2}));
  EXPECT_EQ(parse_frame_rate("48/2"), (FrameRate{24, 1}));
  EXPECT_EQ(to_string(FrameRate{24000, 1001}), "24000/1001");
  EXPECT_EQ(to_string(FrameRate{24, 1}), "24");
  for (const char* text : {"", "0", "-24", "nan", "inf", "24fps", "1000", "24/0", "0/1", "/", "1e-9", "241/1"}) {
    EXPECT_THROW(parse_frame_rate(text), InvalidRequest) << text;
  }
}

TEST(FrameRate, SecondsBecomeWholeFrames) {
  EXPECT_EQ(frames_for_seconds(10, {24, 1}), 240);
  EXPECT_EQ(frames_for_seconds(10, {24000, 1001}), 240);
  EXPECT_EQ(frames_for_seconds(60, {24000, 1001}), 1439);
  EXPECT_EQ(frames_for_seconds(0.021, {24, 1}), 1);
  for (const double seconds : {0.0, -1.0, 0.01, 1e12, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_THROW(frames_for_seconds(seconds, {24, 1}), InvalidRequest) << seconds;
  }
  EXPECT_DOUBLE_EQ(seconds_at_frame(48, {24, 1}), 2.0);
}

}  // namespace
}  // namespace reelfarm::windows

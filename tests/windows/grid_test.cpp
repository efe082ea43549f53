#include "pipeline/windows/grid.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <vector>

namespace reelfarm::windows {
namespace {

std::string message_of(const GridRequest& request) {
  try {
    plan(request);
  } catch (const InvalidRequest& error) {
    return error.what();
  }
  return "accepted";
}

// Brute force, frame by frame and without a formula of the grid: walks latents, adds windows until the video is
// covered.
struct Oracle {
  std::vector<std::set<std::int64_t>> latents;  // per window
  std::vector<std::set<std::int64_t>> frames;   // per window, as a stand-alone decode of those latents gives them

  Oracle(std::int64_t video_frames, std::int64_t window_latents, std::int64_t overlap_latents) {
    // Pixel frames of a global latent: 0 -> {0}, k -> {4k-3 .. 4k}.
    std::int64_t needed = 1;
    std::int64_t covered = 1;
    while (covered < video_frames) {
      covered += 4;
      ++needed;
    }
    std::int64_t start = 0;
    for (;;) {
      const std::int64_t count = needed <= window_latents ? needed : window_latents;
      std::set<std::int64_t> span;
      std::set<std::int64_t> pixels;
      for (std::int64_t latent = start; latent < start + count; ++latent) {
        span.insert(latent);
        // The first latent of a clip is one frame: the last one of the four that it stands for.
        for (int k = latent == start ? 0 : 3; k >= 0; --k) pixels.insert(4 * latent - k);
      }
      latents.push_back(span);
      frames.push_back(pixels);
      if (start + count >= needed) break;
      start += window_latents - overlap_latents;
    }
  }
};

TEST(Grid, AgreesWithBruteForceOnTensOfThousandsOfRequests) {
  std::mt19937_64 random(20250211);
  int requests = 0;
  for (std::int64_t window = 2; window <= 34; ++window) {
    for (std::int64_t overlap = 1; overlap <= window / 2; ++overlap) {
      for (int draw = 0; draw < 100; ++draw) {
        const std::int64_t frames = 1 + static_cast<std::int64_t>(random() % (draw < 60 ? 400 : 4000));
        const Grid grid = plan({frames, 4 * (window - 1) + 1, 4 * (overlap - 1) + 1});
        const Oracle oracle(frames, window, overlap);
        SCOPED_TRACE(::testing::Message() << "T=" << frames << " w=" << window << " c=" << overlap);
        ASSERT_EQ(grid.windows.size(), oracle.latents.size());
        std::int64_t next = 0;
        for (std::size_t j = 0; j < grid.windows.size(); ++j) {
          const Window& w = grid.windows[j];
          ASSERT_EQ(w.index, static_cast<std::int64_t>(j));
          ASSERT_EQ(w.latents.first, *oracle.latents[j].begin());
          ASSERT_EQ(w.latents.last, *oracle.latents[j].rbegin());
          ASSERT_EQ(w.latents.count(), static_cast<std::int64_t>(oracle.latents[j].size()));
          ASSERT_EQ(w.frames.first, *oracle.frames[j].begin());
          ASSERT_EQ(w.frames.last, *oracle.frames[j].rbegin());
          ASSERT_EQ(w.frames.count(), static_cast<std::int64_t>(oracle.frames[j].size()));
          ASSERT_EQ(w.kept.first, w.frames.first);
          ASSERT_LT(w.kept.last, frames);
          // Fresh frames tile the video: no frame twice, none missing, none empty.
          ASSERT_EQ(w.fresh.first, next);
          ASSERT_GE(w.fresh.count(), 1);
          for (std::int64_t frame = w.fresh.first; frame <= w.fresh.last; ++frame) {
            ASSERT_TRUE(oracle.frames[j].count(frame));
            ASSERT_TRUE(j == 0 || !oracle.frames[j - 1].count(frame));
          }
          next = w.fresh.last + 1;
          if (j > 0) {
            std::int64_t shared = 0;
            for (const std::int64_t frame : oracle.frames[j]) shared += oracle.frames[j - 1].count(frame) ? 1 : 0;
            ASSERT_EQ(shared, grid.overlap_frames);
          }
          if (j > 1) {
            ASSERT_GE(*oracle.frames[j].begin(), *oracle.frames[j - 2].rbegin());
          }
        }
        ASSERT_EQ(next, frames);
        ++requests;
      }
    }
  }
  EXPECT_GT(requests, 25'000);
}

TEST(Grid, OneMinuteOfPublishedWeightsIsTwelveWindows) {
  const Grid grid = plan({1440, 121, 1});
  EXPECT_EQ(grid.latents, 361);
  ASSERT_EQ(grid.windows.size(), 12u);
  EXPECT_EQ(grid.windows[1].latents, (FrameSpan{30, 60}));
  EXPECT_EQ(grid.windows[1].frames, (FrameSpan{120, 240}));
  EXPECT_EQ(grid.windows[1].fresh, (FrameSpan{121, 240}));
  EXPECT_EQ(grid.windows[11].frames, (FrameSpan{1320, 1440}));
  EXPECT_EQ(grid.windows[11].kept, (FrameSpan{1320, 1439}));
}

TEST(Grid, AShortVideoIsOneWindowOfJustItsLatents) {
  const Grid grid = plan({10, 121, 5});
  ASSERT_EQ(grid.windows.size(), 1u);
  EXPECT_EQ(grid.window_latents, 4);
  EXPECT_EQ(grid.windows[0].frames, (FrameSpan{0, 12}));
  EXPECT_EQ(grid.windows[0].kept, (FrameSpan{0, 9}));
  EXPECT_EQ(grid.rendered_frames(), 13);
  EXPECT_EQ(plan({1, 121, 1}).windows[0].latents, (FrameSpan{0, 0}));
}

TEST(Grid, RefusesWhatTheRulesForbidAndSaysWhy) {
  EXPECT_THAT(message_of({0, 121, 1}), ::testing::HasSubstr("at least 1 frame"));
  EXPECT_THAT(message_of({-7, 121, 1}), ::testing::HasSubstr("frames is -7"));
  EXPECT_THAT(message_of({2'000'000'000, 121, 1}), ::testing::HasSubstr("at most 1000000"));
  EXPECT_THAT(message_of({100, 0, 1}), ::testing::HasSubstr("window is 0 frames"));
  EXPECT_THAT(message_of({100, 120, 1}), ::testing::HasSubstr("nearest: 117 or 121"));
  EXPECT_THAT(message_of({100, 1, 1}), ::testing::HasSubstr("at least 5"));
  EXPECT_THAT(message_of({100, 1'000'001, 1}), ::testing::HasSubstr("must be from 5 to 4097"));
  EXPECT_THAT(message_of({100, 121, 0}), ::testing::HasSubstr("1, 5, 9, 13"));
  EXPECT_THAT(message_of({100, 121, 4}), ::testing::HasSubstr("nearest: 1 or 5"));
  EXPECT_THAT(message_of({100, 121, 61}), ::testing::HasSubstr("at most 57"));
  EXPECT_THAT(message_of({100, 121, INT64_MAX}), ::testing::HasSubstr("at most 57"));
  EXPECT_EQ(message_of({100, 121, 57}), "accepted");
  EXPECT_EQ(message_of({100, 5, 1}), "accepted");
  EXPECT_THAT(message_of({100, 9, 5}), ::testing::HasSubstr("at most 1 "));
}

TEST(Grid, ConversionsAreInverseOnClipLengths) {
  for (std::int64_t latents = 1; latents < 2000; ++latents) {
    EXPECT_EQ(latents_for_frames(frames_of_latents(latents)), latents);
    EXPECT_TRUE(is_clip_length(frames_of_latents(latents)));
  }
  EXPECT_EQ(frames_of_latents(21), 81);
  EXPECT_EQ(latents_for_frames(82), 22);
  EXPECT_FALSE(is_clip_length(82));
  EXPECT_FALSE(is_clip_length(-3));
  EXPECT_THROW(frames_of_latents(0), InvalidRequest);
  EXPECT_THROW(latents_for_frames(0), InvalidRequest);
}

TEST(Grid, SaysWhereOneFrameLessSavesAWindow) {
  const Grid grid = plan({242, 121, 1});
  ASSERT_EQ(grid.windows.size(), 3u);
  const auto saving = window_saving(grid);
  ASSERT_TRUE(saving.has_value());
  EXPECT_EQ(saving->frames, 241);
  EXPECT_EQ(saving->describe(grid), "241 frames instead of 242 (1 fewer) need 2 windows instead of 3");
  EXPECT_EQ(plan({saving->frames, 121, 1}).windows.size(), 2u);
  EXPECT_FALSE(window_saving(plan({241, 121, 1})).has_value());
  EXPECT_FALSE(window_saving(plan({250, 121, 1})).has_value());
  EXPECT_FALSE(window_saving(plan({50, 121, 1})).has_value());
}

TEST(Grid, SavingIsTheLargestShorterVideoWithFewerWindows) {
  for (std::int64_t frames = 1; frames < 600; ++frames) {
    const Grid grid = plan({frames, 33, 5});
    const auto saving = window_saving(grid, kMaxFrames);
    ASSERT_EQ(saving.has_value(), grid.windows.size() > 1);
    if (!saving) continue;
    EXPECT_LT(plan({saving->frames, 33, 5}).windows.size(), grid.windows.size());
    EXPECT_EQ(plan({saving->frames + 1, 33, 5}).windows.size(), grid.windows.size());
  }
}

TEST(Grid, FindsTheWindowOfAFrame) {
  const Grid grid = plan({300, 121, 5});
  for (std::int64_t frame = 0; frame < 300; ++frame) EXPECT_TRUE(grid.window_at(frame).fresh.contains(frame));
  EXPECT_EQ(grid.window_at(120).index, 0);
  EXPECT_EQ(grid.window_at(121).index, 1);
  EXPECT_THROW(grid.window_at(300), InvalidRequest);
  EXPECT_THROW(grid.window_at(-1), InvalidRequest);
}

}  // namespace
}  // namespace reelfarm::windows

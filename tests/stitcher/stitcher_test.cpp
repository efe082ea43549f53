#include "pipeline/stitcher/stitcher.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/stitcher/synthetic.hpp"

namespace reelfarm::stitcher {
namespace {

using testing::CollectingSink;
using testing::Image;
using testing::SyntheticSource;
using windows::Grid;
using windows::GridRequest;

// A picture of window `j` at its local frame `k`; `g` is the global frame.
using Make = std::function<Image(std::int64_t j, std::int64_t k, std::int64_t g)>;

SyntheticSource window_of(const Grid& grid, std::int64_t j, const Make& make) {
  const windows::Window window = grid.windows[static_cast<std::size_t>(j)];
  return SyntheticSource(window.frames.count(),
                         [j, make, first = window.frames.first](std::int64_t k) { return make(j, k, first + k); });
}

struct Result {
  std::vector<Image> frames;
  StitchReport report;
};

Result stitch(const Grid& grid, const Make& make, const StitchOptions& options = {}) {
  CollectingSink sink;
  Stitcher stitcher(grid, options, sink);
  while (!stitcher.complete()) {
    SyntheticSource source = window_of(grid, stitcher.next_window(), make);
    stitcher.add_window(source);
  }
  return {std::move(sink.frames), stitcher.report()};
}

std::vector<Grid> some_grids() {
  std::vector<Grid> grids;
  for (const GridRequest& request :
       {GridRequest{1, 9, 1}, GridRequest{9, 9, 1}, GridRequest{10, 9, 1}, GridRequest{40, 9, 1}, GridRequest{41, 9, 1},
        GridRequest{42, 9, 1}, GridRequest{90, 33, 5}, GridRequest{97, 33, 13}, GridRequest{200, 33, 13},
        GridRequest{121, 17, 5}, GridRequest{33, 21, 9}, GridRequest{260, 121, 57}, GridRequest{5, 121, 1}}) {
    grids.push_back(windows::plan(request));
  }
  return grids;
}

TEST(Stitcher, EveryFrameCarriesItsIndex) {
  for (const Grid& grid : some_grids()) {
    for (const bool match : {false, true}) {
      StitchOptions options;
      options.match_color = match;
      const Result result = stitch(
          grid, [](auto, auto, std::int64_t g) { return testing::barcode(g); }, options);
      ASSERT_EQ(static_cast<std::int64_t>(result.frames.size()), grid.frames);
      for (std::int64_t t = 0; t < grid.frames; ++t) {
        ASSERT_EQ(result.frames[static_cast<std::size_t>(t)], testing::barcode(t)) << "frame " << t;
      }
    }
  }
}

TEST(Stitcher, StepResponseIsTheAnalyticRamp) {
  for (const Grid& grid : some_grids()) {
    StitchOptions options;
    options.match_color = false;
    options.cut_below_db = 0;
    const auto level = [](std::int64_t j) { return 20 + 10 * static_cast<int>(j); };
    const Result result = stitch(
        grid, [&](std::int64_t j, auto, auto) { return testing::flat(16, 16, level(j)); }, options);
    for (std::int64_t t = 0; t < grid.frames; ++t) {
      // The window whose fresh frames hold t, and whether a later one shares t.
      std::int64_t j = grid.window_at(t).index;
      double expected = level(j);
      const auto next = static_cast<std::size_t>(j) + 1;
      if (grid.overlap_frames > 1 && next < grid.windows.size() && grid.windows[next].frames.contains(t)) {
        const double k = static_cast<double>(t - grid.windows[next].frames.first);
        expected += (k + 1) / static_cast<double>(grid.overlap_frames + 1) * (level(j + 1) - level(j));
      }
      const Image& frame = result.frames[static_cast<std::size_t>(t)];
      // Each pixel is rounded up or down by its place, and 64 places round 64ths exactly.
      double mean = 0;
      for (std::size_t i = 0; i < frame.rgb.size(); ++i) {
        ASSERT_LT(std::abs(frame.rgb[i] - expected), 1) << t;
        mean += frame.rgb[i] / static_cast<double>(frame.rgb.size());
        if (t == 0) continue;
        const int step = frame.rgb[i] - result.frames[static_cast<std::size_t>(t - 1)].rgb[i];
        ASSERT_GE(step, 0);
        if (grid.overlap_frames > 1) {
          ASSERT_LE(step, std::ceil(10.0 / static_cast<double>(grid.overlap_frames + 1)));
        }
      }
      ASSERT_NEAR(mean, expected, 0.5 / 64 + 1e-9) << t;
    }
  }
}

TEST(Stitcher, HasUnitGain) {
  for (const Grid& grid : some_grids()) {
    for (const int value : {0, 1, 77, 128, 254, 255}) {
      const Result result = stitch(grid, [&](auto, auto, auto) { return testing::flat(16, 16, value); });
      for (const Image& frame : result.frames) ASSERT_EQ(frame, testing::flat(16, 16, value));
    }
  }
}

TEST(Stitcher, AnImpulseOutsideOverlapsSurvives) {
  const Grid grid = windows::plan({97, 33, 13});
  for (std::int64_t t = 0; t < grid.frames; ++t) {
    const auto shared =
        std::count_if(grid.windows.begin(), grid.windows.end(), [t](const auto& w) { return w.kept.contains(t); });
    if (shared != 1) continue;
    const Result result = stitch(grid, [&](auto, auto, std::int64_t g) {
      Image image = testing::texture(16, 16, g);
      if (g == t) std::fill_n(image.pixel(5, 6), 3, std::uint8_t{255});
      return image;
    });
    for (std::int64_t u = 0; u < grid.frames; ++u) {
      ASSERT_EQ(result.frames[static_cast<std::size_t>(u)].pixel(5, 6)[0] == 255, u == t) << t << " at " << u;
    }
  }
}

TEST(Stitcher, OneSharedFrameStaysTheEarlierWindows) {
  const Grid grid = windows::plan({25, 9, 1});
  const auto make = [](std::int64_t j, std::int64_t, std::int64_t g) {
    return testing::texture(32, 32, g, static_cast<std::uint32_t>(j + 1), 3);
  };
  StitchOptions options;
  options.match_color = false;
  const Result result = stitch(grid, make, options);
  for (std::int64_t t = 0; t < grid.frames; ++t) {
    ASSERT_EQ(result.frames[static_cast<std::size_t>(t)], make(grid.window_at(t).index, 0, t)) << t;
  }
  for (const SeamReport& seam : result.report.seams) EXPECT_EQ(seam.seam.merge, Merge::kKeep);
}

// Windows that differ in colour and noise, so that every part of the work shows in the frames.
Image lively(std::int64_t j, std::int64_t, std::int64_t g) {
  Image image = testing::texture(24, 16, g, static_cast<std::uint32_t>(j + 1), 4);
  for (std::uint8_t& value : image.rgb) {
    value = static_cast<std::uint8_t>(std::clamp<std::int64_t>(value + 3 * (j % 3) - (j % 2) * 4, 0, 255));
  }
  return image;
}

TEST(Stitcher, RestartAtAnyWindowGivesTheSameFrames) {
  for (const Grid& grid : some_grids()) {
    const Result whole = stitch(grid, lively);
    for (std::int64_t start = 1; start < static_cast<std::int64_t>(grid.windows.size()); ++start) {
      CollectingSink sink;
      Stitcher stitcher(grid, {}, sink);
      SyntheticSource before = window_of(grid, start - 1, lively);
      stitcher.start_at(start, before);
      while (!stitcher.complete()) {
        SyntheticSource source = window_of(grid, stitcher.next_window(), lively);
        stitcher.add_window(source);
      }
      const std::int64_t first = grid.windows[static_cast<std::size_t>(start)].frames.first;
      ASSERT_EQ(sink.frames, std::vector<Image>(whole.frames.begin() + first, whole.frames.end())) << start;
    }
  }
}

TEST(Stitcher, WritesAFrameOnceNoLaterWindowCanChangeIt) {
  const Grid grid = windows::plan({97, 33, 13});
  const Result whole = stitch(grid, lively);
  CollectingSink sink;
  Stitcher stitcher(grid, {}, sink);
  for (std::size_t j = 0; j + 1 < grid.windows.size(); ++j) {
    SyntheticSource source = window_of(grid, static_cast<std::int64_t>(j), lively);
    stitcher.add_window(source);
    ASSERT_EQ(stitcher.frames_written(), grid.windows[j + 1].frames.first);
  }
  // A job that ends here keeps what the last window decoded of the overlap.
  const std::size_t last = grid.windows.size() - 2;
  stitcher.finish_early();
  ASSERT_EQ(stitcher.frames_written(), grid.windows[last].frames.last + 1);
  for (std::size_t t = 0; t < sink.frames.size(); ++t) {
    const auto g = static_cast<std::int64_t>(t);
    if (g < grid.windows[last + 1].frames.first) {
      ASSERT_EQ(sink.frames[t], whole.frames[t]);
    } else {
      ASSERT_EQ(sink.frames[t], lively(static_cast<std::int64_t>(last), 0, g));
    }
  }
}

TEST(Stitcher, RefusesWindowsThatDoNotFit) {
  const Grid grid = windows::plan({40, 9, 1});
  CollectingSink sink;
  Stitcher stitcher(grid, {}, sink);
  SyntheticSource good = window_of(grid, 0, lively);
  stitcher.add_window(good);
  SyntheticSource brief(3, [](std::int64_t k) { return lively(1, k, k); });
  try {
    stitcher.add_window(brief);
    FAIL();
  } catch (const StitchError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("window 1 ends after 3 frames, its place in the grid has 9"));
  }
  SyntheticSource narrow(9, [](std::int64_t) { return testing::flat(16, 16, 3); });
  EXPECT_THROW(stitcher.add_window(narrow), StitchError);
  EXPECT_THROW(Stitcher(Grid{}, {}, sink), StitchError);
}

}  // namespace
}  // namespace reelfarm::stitcher

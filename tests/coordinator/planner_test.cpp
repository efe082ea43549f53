#include "coordinator/planner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "pipeline/windows/seeds.hpp"
#include "tests/coordinator/farm_fixture.hpp"

namespace reelfarm::coordinator {
namespace {

using queue::TaskKind;
using queue::TaskSpec;

/// What the plan must be, found without the planner's formulas: frames are laid one after the other, and a window
/// begins when the last one has no frame left.
struct Oracle {
  std::vector<std::int64_t> first_frames;
  std::int64_t latents_per_window = 0;
};

Oracle lay_windows(std::int64_t frames, std::int64_t window_frames, std::int64_t overlap_frames) {
  Oracle oracle;
  // A clip of n frames needs the fewest latents whose 1 + 4 + 4 + ... frames reach n.
  std::int64_t latents = 1;
  for (std::int64_t have = 1; have < frames; have += 4) ++latents;
  std::int64_t window_latents = 1;
  for (std::int64_t have = 1; have < window_frames; have += 4) ++window_latents;
  oracle.latents_per_window = std::min(latents, window_latents);
  oracle.first_frames.push_back(0);
  std::int64_t covered = 4 * (oracle.latents_per_window - 1) + 1;
  while (covered < frames) {
    const std::int64_t first = covered - overlap_frames;
    oracle.first_frames.push_back(first);
    covered = first + window_frames;
  }
  return oracle;
}

queue::Plan plan_of(const queue::JobSpec& asked, const queue::BundleLimits& limits) {
  return plan_job("j0123456789ab", complete(asked, limits).spec, limits);
}

queue::JobSpec sample_request() {
  queue::JobSpec spec;
  spec.prompt = "a red kite over a lake";
  spec.seed = 99;
  return spec;
}

TEST(Planner, AgreesWithABruteForceLayoutOfFrames) {
  std::mt19937_64 random(20251101);
  std::uniform_int_distribution<int> window_latents(2, 40);
  std::uniform_int_distribution<int> frames(1, 900);
  for (int round = 0; round < 3000; ++round) {
    queue::BundleLimits limits = test::sample_bundle();
    const int w = window_latents(random);
    const int c = std::uniform_int_distribution<int>(1, w / 2)(random);
    limits.window_frames = 4 * (w - 1) + 1;
    limits.overlap_frames = {4 * (c - 1) + 1};
    queue::JobSpec spec = sample_request();
    spec.frames = frames(random);
    spec.seed = random();
    const queue::Plan plan = plan_of(spec, limits);
    const Oracle oracle = lay_windows(*spec.frames, limits.window_frames, limits.overlap_frames[0]);
    SCOPED_TRACE(testing::Message() << "frames " << *spec.frames << " window " << limits.window_frames << " overlap "
                                    << limits.overlap_frames[0]);

    ASSERT_EQ(plan.tasks.size(), oracle.first_frames.size() + 2);  // image, windows, stitch
    std::vector<int> shown(static_cast<std::size_t>(*spec.frames), 0);
    for (std::size_t index = 0; index < oracle.first_frames.size(); ++index) {
      const TaskSpec& task = plan.tasks[index + 1];
      ASSERT_EQ(task.kind, TaskKind::window);
      ASSERT_EQ(task.window, static_cast<int>(index));
      EXPECT_EQ(task.span.first_frame, oracle.first_frames[index]);
      EXPECT_EQ(task.span.first_latent * 4, task.span.first_frame);
      EXPECT_EQ(task.span.num_latents, oracle.latents_per_window);
      EXPECT_EQ(task.span.num_frames, 4 * (oracle.latents_per_window - 1) + 1);
      EXPECT_EQ(task.span.overlap_latents, index == 0 ? 0 : c);
      for (std::int64_t frame = 0; frame < task.span.keep_frames; ++frame) {
        ++shown.at(static_cast<std::size_t>(task.span.first_frame + frame));
      }
    }
    for (const int times : shown) ASSERT_TRUE(times == 1 || times == 2);
  }
}

TEST(Planner, WindowsWaitForTheTailBeforeAndTheStitchForWindowZero) {
  queue::JobSpec spec = sample_request();
  spec.frames = 40;
  const queue::Plan plan = plan_of(spec, test::sample_bundle());
  ASSERT_EQ(plan.tasks.size(), 5U);
  EXPECT_EQ(plan.tasks[0].id, "j0123456789ab.image");
  EXPECT_TRUE(plan.tasks[0].depends.empty());
  ASSERT_EQ(plan.tasks[1].depends.size(), 1U);
  EXPECT_EQ(plan.tasks[1].depends[0].task, "j0123456789ab.image");
  EXPECT_EQ(plan.tasks[1].depends[0].on, queue::DependencyOn::done);
  for (int window : {1, 2}) {
    const TaskSpec& task = plan.tasks[static_cast<std::size_t>(window) + 1];
    ASSERT_EQ(task.depends.size(), 1U);
    EXPECT_EQ(task.depends[0].task, queue::task_id("j0123456789ab", TaskKind::window, window - 1));
    EXPECT_EQ(task.depends[0].on, queue::DependencyOn::tail);
  }
  const TaskSpec& stitch = plan.tasks[4];
  EXPECT_EQ(stitch.kind, TaskKind::stitch);
  ASSERT_EQ(stitch.depends.size(), 1U);
  EXPECT_EQ(stitch.depends[0].task, "j0123456789ab.w0000");
  EXPECT_EQ(stitch.depends[0].on, queue::DependencyOn::done);
  EXPECT_EQ(stitch.stitch.windows, 3);
  EXPECT_EQ(stitch.stitch.frames, 40);
}

TEST(Planner, AGivenImageNeedsNoImageTaskAndGoesToTheFirstWindowOnly) {
  queue::JobSpec spec = sample_request();
  spec.frames = 40;
  spec.image = queue::ImageInput{std::string(64, 'b'), "png", "photo.png"};
  const queue::Plan plan = plan_of(spec, test::sample_bundle());
  ASSERT_EQ(plan.tasks.size(), 4U);
  EXPECT_EQ(plan.tasks[0].render.image->sha256, std::string(64, 'b'));
  EXPECT_TRUE(plan.tasks[0].depends.empty());
  EXPECT_FALSE(plan.tasks[1].render.image);
}

TEST(Planner, EverySeedIsTheWindowSeedOfItsTaskAndNoTwoAreEqual) {
  queue::JobSpec spec = sample_request();
  spec.frames = 200;
  spec.take = 3;
  const queue::Plan plan = plan_of(spec, test::sample_bundle());
  std::set<std::uint64_t> seeds;
  for (const TaskSpec& task : plan.tasks) {
    if (task.kind == TaskKind::stitch) continue;
    const std::uint64_t window = task.kind == TaskKind::image ? windows::kImageSeedWindow : std::uint64_t(task.window);
    EXPECT_EQ(task.render.seed, windows::window_seed(99, window, 3));
    EXPECT_TRUE(seeds.insert(task.render.seed).second);
  }
}

TEST(Planner, SizesAreRenderedAtTheNextMultipleAndStitchedAsAsked) {
  queue::JobSpec spec = sample_request();
  spec.width = 150;
  spec.height = 98;
  const queue::Plan plan = plan_of(spec, test::sample_bundle());
  EXPECT_EQ(plan.tasks[1].render.width, 160);
  EXPECT_EQ(plan.tasks[1].render.height, 112);
  EXPECT_EQ(plan.tasks.back().stitch.width, 150);
  EXPECT_EQ(plan.tasks.back().stitch.height, 98);
}

TEST(Planner, ArtifactKeysChangeWithWhatTheOutputDependsOnAndWithNothingElse) {
  const queue::BundleLimits limits = test::sample_bundle();
  queue::JobSpec spec = sample_request();
  spec.frames = 40;
  const auto keys = [&](const queue::JobSpec& asked) {
    std::vector<std::string> result;
    for (const TaskSpec& task : plan_of(asked, limits).tasks) result.push_back(task.artifact_key);
    return result;
  };
  const auto before = keys(spec);
  EXPECT_EQ(std::set<std::string>(before.begin(), before.end()).size(), before.size());

  queue::JobSpec other = spec;
  other.name = "another name";
  other.priority = 5;
  other.output = "/somewhere/x.mp4";
  EXPECT_EQ(keys(other), before);

  // A longer video begins with the same windows.
  other = spec;
  other.frames = 100;
  const auto longer = keys(other);
  EXPECT_TRUE(std::equal(before.begin(), before.end() - 1, longer.begin()));
  EXPECT_NE(longer.back(), before.back());

  for (const auto& change : std::vector<std::function<void(queue::JobSpec&)>>{
           [](auto& s) { s.prompt += "."; }, [](auto& s) { s.seed = 100; }, [](auto& s) { s.steps = 5; },
           [](auto& s) { s.shift = 6; }, [](auto& s) { s.guidance = 2; }, [](auto& s) { s.dtype = "fp32"; },
           [](auto& s) { s.take = 2; },
           [](auto& s) {
             s.width = 96;
             s.height = 48;
           }}) {
    other = spec;
    change(other);
    const auto changed = keys(other);
    for (std::size_t index = 0; index < before.size(); ++index) EXPECT_NE(changed[index], before[index]) << index;
  }
}

TEST(Planner, AJobsDiskGrowsWithItsFrames) {
  queue::JobSpec spec = sample_request();
  spec.frames = 17;
  const std::uint64_t one = plan_of(spec, test::sample_bundle()).bytes_needed;
  spec.frames = 33;
  const std::uint64_t two = plan_of(spec, test::sample_bundle()).bytes_needed;
  // 17 frames of 64x48 RGB are 156,672 bytes.
  EXPECT_GT(one, 156'672U);
  EXPECT_GT(two, one + 156'672U);
}

}  // namespace
}  // namespace reelfarm::coordinator

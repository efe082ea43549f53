#include "worker/ranks/window_writer.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <vector>

#include "pipeline/artifacts/window_artifact.hpp"
#include "pipeline/video/video_reader.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::worker {
namespace {

TaskOrder an_order() {
  TaskOrder order;
  order.task = "j.w0000";
  order.job = "j";
  order.attempt = 1;
  order.nonce = "n1";
  order.folder = "jobs/j/windows";
  order.artifact_key = "key";
  order.width = 32;
  order.height = 16;
  order.num_latents = 3;
  order.tail_latents = 2;
  return order;
}

constexpr std::int64_t kFrames = 9;  // of 3 latents

/// 9 frames of a faint pattern, of which those listed have no value above `level`.
at::Tensor frames_with(const std::vector<std::int64_t>& dark, int level) {
  at::Tensor frames = at::arange(kFrames * 16 * 32 * 3).remainder(60).to(at::kByte).view({kFrames, 16, 32, 3});
  for (const std::int64_t frame : dark) frames[frame].clamp_max_(level);
  return frames;
}

class WindowWriters : public testing::Test {
 protected:
  WindowWriter writer() {
    return {data_.path(),
            an_order(),
            "print",
            latents_,
            {.on_written = [this](double share) { shares_.push_back(share); },
             .on_tail = [this](const FileReference& tail) { tails_.push_back(tail); }}};
  }

  test::TemporaryFolder data_;
  at::Tensor latents_ = at::arange(3 * 16 * 2 * 4).to(at::kFloat).view({1, 16, 3, 2, 4});
  std::vector<double> shares_;
  std::vector<FileReference> tails_;
};

TEST_F(WindowWriters, CountsTheFramesInWhichNothingIsAboveEightOf255) {
  WindowWriter some = writer();
  some.add({0, frames_with({1, 2, 8}, 8), {}});
  EXPECT_EQ(some.black_frames(), 3);
  EXPECT_EQ(some.frames(), kFrames);

  WindowWriter brighter = writer();
  brighter.add({0, frames_with({1, 2, 8}, 9), {}});
  EXPECT_EQ(brighter.black_frames(), 0);

  WindowWriter all = writer();
  all.add({0, at::full({kFrames, 16, 32, 3}, 8, at::kByte), {}});
  EXPECT_EQ(all.black_frames(), all.frames());
}

TEST_F(WindowWriters, OneBrightValueInOneChannelIsNotBlack) {
  at::Tensor frames = at::zeros({kFrames, 16, 32, 3}, at::kByte);
  frames[4][15][31][2] = 200;
  WindowWriter window = writer();
  window.add({0, frames, {}});
  EXPECT_EQ(window.black_frames(), kFrames - 1);
}

TEST_F(WindowWriters, TheTailGoesOutBeforeTheFramesThatComeLater) {
  const at::Tensor frames = frames_with({}, 0);
  WindowWriter window = writer();
  window.add({4, frames.narrow(0, 4, 5), {}});
  ASSERT_EQ(tails_.size(), 1U);
  EXPECT_TRUE(shares_.empty()) << "frames were written before those in front of them";
  window.add({0, frames.narrow(0, 0, 4), {}});
  ASSERT_FALSE(shares_.empty());
  EXPECT_DOUBLE_EQ(shares_.back(), 1);
  EXPECT_EQ(tails_.size(), 1U);

  const FileReference file = window.publish(R"({"black_frames": 0})");
  const auto manifest = artifacts::open_window(data_.path() / file.path, artifacts::Check::kHashes);
  EXPECT_EQ(manifest.frame_count, kFrames);
  video::VideoReader reader(data_.path() / file.path / artifacts::kFramesFile);
  video::Image frame;
  for (std::int64_t i = 0; i < kFrames; ++i) {
    ASSERT_TRUE(reader.next(frame)) << "frame " << i;
    EXPECT_TRUE(render::to_frames(frame)[0].equal(frames[i])) << "frame " << i;
  }
  EXPECT_FALSE(reader.next(frame));
}

}  // namespace
}  // namespace reelfarm::worker

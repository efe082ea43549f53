// What --codec makes of a clip: the lossless one holds the very frames that the renderer made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>

#include "pipeline/video/video_reader.hpp"
#include "tests/render/render_program.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::render_test {
namespace {

using ::testing::HasSubstr;

// Shorter than the frames that windows of this bundle share.
const std::string kClip = "--bundle " + (std::filesystem::path(REELFARM_SOURCE_DIR) / "bundles" / "demo").string() +
                          " --prompt 'a red ball moving left over the sea' --frames 5 --size 64x48 --steps 1"
                          " --threads 1 --device cpu --dtype fp32 --output ";

TEST(RenderCodec, TheLosslessOneHoldsTheRenderersFrames) {
  const test::TemporaryFolder folder;
  const auto file = folder / "clip.mkv";
  const auto frames = folder / "frames.safetensors";
  const Outcome ended = render(kClip + file.string() + " --codec ffv1 --save-frames " + frames.string());
  ASSERT_EQ(ended.exit_code, 0) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr(file.string()));
  const Floats made = read(frames, "video");
  video::VideoReader reader(file, 1);
  video::Image frame;
  std::size_t at = 0;
  while (reader.next(frame)) {
    for (const std::uint8_t level : frame.rgb) {
      ASSERT_LT(at, made.values.size());
      ASSERT_LE(std::abs(255 * made.values[at++] - static_cast<float>(level)), 0.5f + 1e-3f);
    }
  }
  EXPECT_EQ(at, made.values.size());
}

TEST(RenderCodec, AnUnknownOneOrAnotherEndingIsRefusedBeforeAnythingIsRendered) {
  const test::TemporaryFolder folder;
  const Outcome unknown = render(kClip + (folder / "clip.mp4").string() + " --codec h266");
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.output, ::testing::AllOf(HasSubstr("--codec"), HasSubstr("h266"), HasSubstr("prores4444")));
  const Outcome ending = render(kClip + (folder / "clip.mp4").string() + " --codec ffv1");
  EXPECT_EQ(ending.exit_code, 2);
  EXPECT_THAT(ending.output, ::testing::AllOf(HasSubstr("clip.mp4"), HasSubstr("ffv1"), HasSubstr(".mkv")));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace reelfarm::render_test

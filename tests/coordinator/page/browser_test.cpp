// The page in a real browser: watch_a_job.py submits, watches, plays and compares, on a farm of doubles that publish
// real videos.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "coordinator/submission/sibling.hpp"
#include "pipeline/video/encoder.hpp"
#include "pipeline/video/frame_writer.hpp"
#include "pipeline/video/png_writer.hpp"
#include "tests/cli/job_farm.hpp"

namespace reelfarm {
namespace {

constexpr int kWidth = 160;
constexpr int kHeight = 96;
constexpr int kFrames = 48;

/// A square that moves over a gradient.
video::Image picture(int frame) {
  video::Image image(kWidth, kHeight);
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      std::uint8_t* pixel = image.pixel(x, y);
      const bool square = x >= frame && x < frame + 30 && y >= 30 && y < 60;
      pixel[0] = square ? 220 : static_cast<std::uint8_t>(x);
      pixel[1] = square ? 60 : static_cast<std::uint8_t>(2 * y);
      pixel[2] = 120;
    }
  }
  return image;
}

class Browser : public test::JobFarm {
 protected:
  static void SetUpTestSuite() {
    start_farm({"--listen", "127.0.0.1:0"}, [](test::CommandLine& line) {
      std::filesystem::create_directories(line.path("media"));
      line.environment["REELFARM_TEST_MEDIA"] = line.path("media").string();
      video::FrameWriter frames(line.path("media") / "frames.mkv", kWidth, kHeight, {24, 1});
      video::EncoderOptions options;
      options.width = kWidth;
      options.height = kHeight;
      options.rate = {24, 1};
      video::VideoEncoder encoder(line.path("media") / "partial.mp4", options);
      for (int frame = 0; frame < kFrames; ++frame) {
        frames.write(picture(frame));
        encoder.write(picture(frame));
      }
      frames.finish();
      encoder.publish(line.path("media") / "video.mp4");
      video::write_png(picture(0), line.path("first.png"));
    });
  }
};

TEST_F(Browser, WatchesAJobFromQueuedToDone) {
  std::ifstream farm(data() / "farm.json");
  const auto page = nlohmann::json::parse(farm).at("page").get<std::string>();
  const std::filesystem::path shots = std::filesystem::path(REELFARM_BIN_DIR).parent_path() / "page-shots";
  const posix::Ended ended = coordinator::run_sibling(
      "python3", {std::string(REELFARM_SOURCE_DIR) + "/tests/coordinator/page/watch_a_job.py", "--page", page + "/",
                  "--image", line_->path("first.png").string(), "--shots", shots.string()});
  if (ended.exit_code == 77) GTEST_SKIP() << ended.output;
  EXPECT_EQ(ended.exit_code, 0) << ended.output << ended.errors << "\nscreenshots: " << shots;
}

}  // namespace
}  // namespace reelfarm

#include "cli/image/latent_preview.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <random>
#include <span>
#include <vector>

#include "pipeline/weights/errors.hpp"
#include "pipeline/weights/safetensors_writer.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::image {
namespace {

namespace fs = std::filesystem;
using weights::DType;

constexpr int kWidth = 12;
constexpr int kHeight = 10;
constexpr int kLatents = 3;
constexpr int kScale = 8;

class LatentPreview : public testing::Test {
 protected:
  /// (1, 16, kLatents, kHeight, kWidth), small enough that no colour is cut off.
  std::vector<float> latents() {
    std::normal_distribution<float> normal(0, 0.2F);
    std::vector<float> values(16 * kLatents * kHeight * kWidth);
    for (float& value : values) value = normal(random_);
    return values;
  }
  /// The last latent's colour under a map that no VAE of ours has.
  static double colour_of(const std::vector<float>& latents, int colour, int x, int y) {
    double value = 0.1 * (colour - 1);
    for (int channel = 0; channel < 16; ++channel) {
      const int at = ((channel * kLatents + kLatents - 1) * kHeight + y) * kWidth + x;
      value += std::cos(1.7 * channel + colour) * 0.25 * latents[static_cast<std::size_t>(at)];
    }
    return value;
  }
  static std::uint8_t byte_of(double value) { return static_cast<std::uint8_t>(std::lround(127.5 * (value + 1))); }

  void write_tail(const std::vector<float>& latents, int channels_of_frames = 3) const {
    constexpr int kFrames = 5;
    std::vector<std::uint8_t> frames;
    for (int frame = 0; frame < kFrames; ++frame) {
      for (int y = 0; y < kScale * kHeight; ++y) {
        for (int x = 0; x < kScale * kWidth; ++x) {
          for (int colour = 0; colour < channels_of_frames; ++colour) {
            const double value = colour_of(latents, colour, x / kScale, y / kScale);
            frames.push_back(frame == kFrames - 1 ? byte_of(value) : 7);
          }
        }
      }
    }
    weights::SafetensorsWriter writer(
        tail_, {{"frames", DType::u8, {kFrames, kScale * kHeight, kScale * kWidth, channels_of_frames}},
                {"latents", DType::f32, {1, 16, kLatents, kHeight, kWidth}}});
    writer.append("frames", std::as_bytes(std::span(frames)));
    writer.append("latents", std::as_bytes(std::span(latents)));
    writer.finish();
  }
  void write_kept(const std::string& folder, const std::string& task, const std::vector<float>& latents) const {
    fs::create_directories(folder_.path() / folder);
    weights::SafetensorsWriter writer(folder_.path() / folder / "latents.safetensors",
                                      {{"kept", DType::f32, {1, 16, kLatents, kHeight, kWidth}}}, {{"task", task}});
    writer.append("kept", std::as_bytes(std::span(latents)));
    writer.finish();
  }

  std::mt19937 random_{20251126};
  test::TemporaryFolder folder_;
  fs::path tail_ = folder_.path() / "tail.safetensors";
};

TEST_F(LatentPreview, HasTheColoursOfTheVaeThatMadeTheTail) {
  write_tail(latents());
  const std::vector<float> running = latents();
  write_kept("a", "j.w0001", running);
  const auto file = kept_latents(folder_.path(), "j.w0001");
  ASSERT_TRUE(file);
  const video::Image picture = picture_of(*file, fitted_colours(tail_));
  ASSERT_EQ(picture.size_text(), "12x10");
  int farthest = 0;
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      for (int colour = 0; colour < 3; ++colour) {
        const int wanted = byte_of(colour_of(running, colour, x, y));
        farthest = std::max(farthest, std::abs(wanted - picture.pixel(x, y)[colour]));
      }
    }
  }
  EXPECT_LE(farthest, 4) << "of 255: rounding of the frames, and the little of ridge";
  EXPECT_NE(picture_of(*file, published_colours()), picture);
}

TEST_F(LatentPreview, ATailOfOneColourGivesThatColour) {
  const std::vector<float> flat(16 * kLatents * kHeight * kWidth, 0);
  write_tail(flat);
  write_kept("a", "j.w0001", flat);
  const video::Image picture = picture_of(folder_.path() / "a" / "latents.safetensors", fitted_colours(tail_));
  for (int colour = 0; colour < 3; ++colour) {
    EXPECT_NEAR(picture.pixel(3, 3)[colour], byte_of(colour_of(flat, colour, 3, 3)), 1) << colour;
  }
}

TEST_F(LatentPreview, IsOfTheTaskThatIsAskedFor) {
  write_kept("a", "j.w0001", latents());
  write_kept("b", "j.w0002", latents());
  write_kept("c", "j.w0001", latents());
  fs::last_write_time(folder_.path() / "a" / "latents.safetensors",
                      fs::last_write_time(folder_.path() / "c" / "latents.safetensors") + std::chrono::seconds(5));
  fs::create_directories(folder_.path() / "d");
  EXPECT_EQ(kept_latents(folder_.path(), "j.w0001"), folder_.path() / "a" / "latents.safetensors") << "the newest";
  EXPECT_EQ(kept_latents(folder_.path(), "j.w0002"), folder_.path() / "b" / "latents.safetensors");
  EXPECT_FALSE(kept_latents(folder_.path(), "j.w0003"));
  EXPECT_FALSE(kept_latents(folder_.path() / "nowhere", "j.w0001"));
}

TEST_F(LatentPreview, FilesOfOtherShapesAreNamed) {
  write_tail(latents(), 4);
  EXPECT_THROW(fitted_colours(tail_), weights::WeightError);
  EXPECT_THROW(picture_of(tail_, published_colours()), weights::WeightError) << "it has no tensor of that name";
}

}  // namespace
}  // namespace reelfarm::image

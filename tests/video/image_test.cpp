#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "pipeline/artifacts/errors.hpp"
#include "pipeline/video/image_fit.hpp"
#include "pipeline/video/image_reader.hpp"
#include "pipeline/video/png_writer.hpp"
#include "tests/video/ppm.hpp"

namespace reelfarm::video {
namespace {

namespace fs = std::filesystem;
using testing::difference;
using ::testing::HasSubstr;
using testing::read_ppm;

const fs::path kImages = fs::path(REELFARM_REFERENCE_DIR) / "images";

std::vector<std::uint8_t> bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string refusal_of(const fs::path& path) {
  try {
    read_image(path);
  } catch (const BadMedia& error) {
    return error.what();
  }
  return "accepted";
}

class LosslessImage : public ::testing::TestWithParam<std::string> {};

TEST_P(LosslessImage, IsReadExactlyAsPillowReadsIt) {
  const Image image = read_image(kImages / GetParam());
  // Composition over white rounds: Pillow's is one level off in places.
  const int allowed =
      GetParam().find("alpha") != std::string::npos || GetParam().find("transparent") != std::string::npos;
  EXPECT_LE(difference(image, read_ppm(kImages / (GetParam() + ".ppm"))).largest, allowed);
}

INSTANTIATE_TEST_SUITE_P(Forms, LosslessImage,
                         ::testing::Values("rgb.png", "rgba.png", "grey.png", "grey_alpha.png", "palette.png",
                                           "palette_transparent.png", "one_bit.png", "two_bit_palette.png", "rgb16.png",
                                           "grey16.png", "rgba16.png", "lossless.webp", "lossless_alpha.webp"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

class LossyImage : public ::testing::TestWithParam<std::string> {};

TEST_P(LossyImage, IsReadAsPillowReadsItButForChromaFilters) {
  const auto [largest, mean] = difference(read_image(kImages / GetParam()), read_ppm(kImages / (GetParam() + ".ppm")));
  EXPECT_LT(mean, 1.25);
  EXPECT_LE(largest, 25);
}

INSTANTIATE_TEST_SUITE_P(Forms, LossyImage,
                         ::testing::Values("full_chroma.jpg", "half_chroma.jpg", "quarter_chroma.jpg",
                                           "progressive.jpg", "grey.jpg", "lossy.webp"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

TEST(ImageReader, TurnsPicturesUprightByExif) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const std::string name = "orientation_" + std::to_string(orientation);
    for (const char* lossless : {".png", ".webp"}) {
      EXPECT_EQ(read_image(kImages / (name + lossless)), read_ppm(kImages / (name + lossless + ".ppm")))
          << name << lossless;
    }
    EXPECT_LE(difference(read_image(kImages / (name + ".jpg")), read_ppm(kImages / (name + ".jpg.ppm"))).largest, 4)
        << name;
  }
}

TEST(ImageReader, RefusesEveryTruncation) {
  for (const char* name : {"rgb.png", "lossless.webp", "lossy.webp", "full_chroma.jpg", "progressive.jpg"}) {
    const std::vector<std::uint8_t> whole = bytes_of(kImages / name);
    ASSERT_NO_THROW(decode_image(whole, name));
    for (std::size_t length = 0; length < whole.size() - 2; length += 1 + whole.size() / 97) {
      try {
        decode_image(std::span(whole).first(length), name);
        ADD_FAILURE() << name << " cut to " << length << " of " << whole.size() << " bytes was accepted";
      } catch (const BadMedia& error) {
        if (length > 64) {
          EXPECT_THAT(error.what(), HasSubstr("truncated"));
        }
      }
    }
  }
}

TEST(ImageReader, NeverCrashesOnDamage) {
  for (const char* name : {"rgb.png", "palette.png", "lossless_alpha.webp", "orientation_6.jpg"}) {
    std::vector<std::uint8_t> bytes = bytes_of(kImages / name);
    std::uint32_t state = 1;
    for (int round = 0; round < 300; ++round) {
      std::vector<std::uint8_t> damaged = bytes;
      for (int hit = 0; hit < 4; ++hit) {
        state = state * 1664525 + 1013904223;
        // Mostly headers: damage there changes sizes and offsets.
        damaged[(state >> 8) % (round % 2 ? 200 : damaged.size())] ^= static_cast<std::uint8_t>(state);
      }
      try {
        decode_image(damaged, name);
      } catch (const VideoError&) {
      }
    }
  }
}

TEST(ImageReader, ReadsTheLargestThatIsAllowed) {
  const Image image = read_image(kImages / "largest.jpg");
  EXPECT_EQ(std::int64_t{image.width} * image.height, kMaxImagePixels);
  EXPECT_NEAR(image.row(9'999)[3 * 9'999], 77, 1);
}

TEST(ImageReader, SaysWhatIsWrongWithAFile) {
  const fs::path text = fs::path(::testing::TempDir()) / "notes.png";
  std::ofstream(text) << "hello, I am a text file";
  EXPECT_THAT(refusal_of(text), HasSubstr("text beginning with 'hello, I am a text file'"));
  std::ofstream(text, std::ios::trunc);
  EXPECT_THAT(refusal_of(text), HasSubstr("an empty file"));
  fs::remove(text);
  EXPECT_THAT(refusal_of(kImages / "photo.gif"), HasSubstr("a GIF file, not a PNG, JPEG or WebP"));
  EXPECT_THAT(refusal_of(kImages / "one_pixel.png"), HasSubstr("is 1x1: each side must be at least 16"));
  EXPECT_THAT(refusal_of(kImages / "one_pixel.jpg"), HasSubstr("is 1x1"));
  EXPECT_THAT(refusal_of(kImages / "huge.png"), HasSubstr("is 20000x20000: at most 100 megapixels"));
  EXPECT_THAT(refusal_of(kImages), HasSubstr("is a folder"));
  EXPECT_THROW(read_image(kImages / "absent.png"), artifacts::StorageError);
}

TEST(ImageReader, GivesFfmpegsOwnWordsForDamage) {
  std::vector<std::uint8_t> bytes = bytes_of(kImages / "rgb.png");
  bytes[28] ^= 1;  // The interlace flag inside IHDR: its checksum no longer holds.
  try {
    decode_image(bytes, "broken.png");
    FAIL();
  } catch (const BadMedia& error) {
    EXPECT_THAT(error.what(), HasSubstr("image broken.png cannot be decoded as PNG: "));
    EXPECT_THAT(error.what(), HasSubstr("[png] "));
  }
}

struct FitCase {
  const char* name;
  int width;
  int height;
};

class FitAgainstPillow : public ::testing::TestWithParam<FitCase> {};

TEST_P(FitAgainstPillow, AgreesForEveryMode) {
  const auto [name, width, height] = GetParam();
  const Image photo = read_ppm(kImages / "photo.ppm");
  for (const Fit fit : {Fit::kStretch, Fit::kCrop, Fit::kPad}) {
    const std::string file = to_string(fit) + "_" + name + ".ppm";
    const Image fitted = fit_image(photo, width, height, fit);
    EXPECT_EQ(fitted, fit_image(photo, width, height, fit));
    // Crops and bars fall on whole pixels here; Pillow crops half pixels (117.5 lines for the wide one).
    EXPECT_LT(difference(fitted, read_ppm(kImages / file)).mean, fit == Fit::kStretch ? 0.6 : 4.0) << file;
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, FitAgainstPillow,
                         ::testing::Values(FitCase{"up", 1280, 854}, FitCase{"down", 160, 106},
                                           FitCase{"wide", 320, 96}, FitCase{"tall", 96, 320}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(ImageFit, KeepsAFlatColourAndAnEqualSize) {
  Image flat(100, 60);
  for (std::size_t i = 0; i < flat.rgb.size(); ++i) flat.rgb[i] = std::array<std::uint8_t, 3>{200, 13, 255}[i % 3];
  const Image larger = fit_image(flat, 333, 210, Fit::kCrop);
  for (std::size_t i = 0; i < larger.rgb.size(); ++i) ASSERT_EQ(larger.rgb[i], flat.rgb[i % 3]) << i;
  EXPECT_EQ(fit_image(flat, 100, 60, Fit::kPad), flat);
  const Image padded = fit_image(flat, 100, 100, Fit::kPad);
  EXPECT_EQ(padded.pixel(50, 10)[0], 0);
  EXPECT_EQ(padded.pixel(50, 50)[0], 200);
  EXPECT_EQ(parse_fit("pad"), Fit::kPad);
  EXPECT_THROW(parse_fit("fill"), BadMedia);
  EXPECT_THROW(fit_image(flat, 0, 5, Fit::kCrop), BadMedia);
}

TEST(PngWriter, RoundTripsExactlyAndRepeatably) {
  const Image photo = read_image(kImages / "rgb.png");
  const fs::path path = fs::path(::testing::TempDir()) / "round_trip.png";
  write_png(photo, path);
  EXPECT_EQ(read_image(path), photo);
  const auto first = bytes_of(path);
  write_png(photo, path);
  EXPECT_EQ(bytes_of(path), first);
  fs::remove(path);
  EXPECT_THROW(write_png(photo, "/dev/full"), artifacts::StorageError);
}

TEST(Crop, TakesTheRectangleAndRefusesWhatReachesOutside) {
  Image image(4, 3);
  for (int y = 0; y < 3; ++y) {
    for (int x = 0; x < 4; ++x) image.pixel(x, y)[0] = static_cast<std::uint8_t>(10 * y + x);
  }
  const Image part = crop(image, 1, 1, 2, 2);
  EXPECT_EQ(part.pixel(0, 0)[0], 11);
  EXPECT_EQ(part.pixel(1, 1)[0], 22);
  EXPECT_THROW(crop(image, 3, 0, 2, 1), std::out_of_range);
}

}  // namespace
}  // namespace reelfarm::video

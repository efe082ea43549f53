#include "pipeline/video/encoder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pipeline/artifacts/errors.hpp"
#include "pipeline/video/image_fit.hpp"
#include "pipeline/video/image_reader.hpp"
#include "pipeline/video/video_reader.hpp"
#include "tests/video/ppm.hpp"
#include "tests/video/video_fixture.hpp"

namespace reelfarm::video {
namespace {

namespace fs = std::filesystem;
using testing::difference;
using ::testing::HasSubstr;

class Encoder : public testing::VideoTest {
 protected:
  static EncoderOptions options(int width, int height) {
    EncoderOptions options;
    options.width = width;
    options.height = height;
    options.preset = "ultrafast";
    return options;
  }

  fs::path encode(const std::string& name, const EncoderOptions& options, int frames) {
    VideoEncoder encoder(folder_ / (name + ".partial"), options);
    for (int i = 0; i < frames; ++i) encoder.write(testing::moving_picture(options.width, options.height, i));
    const fs::path path = folder_ / (name + extension_of(options.codec));
    encoder.publish(path);
    EXPECT_FALSE(fs::exists(folder_ / (name + ".partial")));
    return path;
  }
};

// Names of the top-level boxes of an mp4 (ISO 14496-12, section 4.2).
std::vector<std::string> boxes_of(const fs::path& path) {
  const std::vector<std::uint8_t> bytes = testing::bytes_of(path);
  std::vector<std::string> names;
  std::size_t offset = 0;
  while (offset + 8 <= bytes.size()) {
    const std::size_t size =
        std::size_t{bytes[offset]} << 24 | bytes[offset + 1] << 16 | bytes[offset + 2] << 8 | bytes[offset + 3];
    names.emplace_back(bytes.begin() + static_cast<std::ptrdiff_t>(offset) + 4,
                       bytes.begin() + static_cast<std::ptrdiff_t>(offset) + 8);
    if (size < 8) break;
    offset += size;
  }
  return names;
}

TEST_F(Encoder, FinalFileIsWhatFfprobeExpectsOfAnMp4) {
  EncoderOptions settings = options(96, 64);
  settings.rate = {24000, 1001};
  settings.preset = "medium";  // With B-frames: their delay must not move the start.
  const fs::path path = encode("a", settings, 77);
  const nlohmann::json info = testing::probe(path);
  const nlohmann::json stream = info["streams"][0];
  EXPECT_EQ(stream["codec_name"], "h264");
  EXPECT_EQ(stream["pix_fmt"], "yuv420p");
  EXPECT_EQ(stream["width"], 96);
  EXPECT_EQ(stream["height"], 64);
  EXPECT_EQ(stream["nb_frames"], "77");
  EXPECT_EQ(stream["nb_read_frames"], "77");
  EXPECT_EQ(stream["r_frame_rate"], "24000/1001");
  EXPECT_EQ(stream["avg_frame_rate"], "24000/1001");
  EXPECT_EQ(stream["color_space"], "bt709");
  EXPECT_EQ(stream["color_primaries"], "bt709");
  EXPECT_EQ(stream["color_transfer"], "bt709");
  EXPECT_EQ(stream["color_range"], "tv");
  EXPECT_EQ(stream["has_b_frames"], 2);
  EXPECT_EQ(stream["start_time"], "0.000000");
  EXPECT_NEAR(std::stod(info["format"]["duration"].get<std::string>()), 77 * 1.001 / 24, 0.002);
  EXPECT_THAT(boxes_of(path), ::testing::ElementsAre("ftyp", "moov", "free", "mdat"));
  EXPECT_EQ(count_frames(path), 77);
}

TEST_F(Encoder, FlatColoursSurviveTheRoundTrip) {
  const std::vector<std::array<std::uint8_t, 3>> colours = {{255, 0, 0},     {0, 255, 0},   {0, 0, 255},  {0, 0, 0},
                                                            {255, 255, 255}, {128, 64, 32}, {17, 99, 201}};
  EncoderOptions settings = options(64, 64);
  settings.quality = 4;
  VideoEncoder encoder(folder_ / "a.partial", settings);
  for (const auto& colour : colours) {
    Image image(64, 64);
    for (std::size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = colour[i % 3];
    encoder.write(image);
  }
  encoder.publish(folder_ / "a.mp4");
  const std::vector<Image> outside = testing::decode_with_ffmpeg(folder_ / "a.mp4", 64, 64);
  ASSERT_EQ(outside.size(), colours.size());
  VideoReader reader(folder_ / "a.mp4");
  Image own;
  for (std::size_t i = 0; i < colours.size(); ++i) {
    ASSERT_TRUE(reader.next(own));
    for (int channel = 0; channel < 3; ++channel) {
      // Without conversion, or with a tag alone, the error is 20 to 40 (red's green channel).
      EXPECT_NEAR(outside[i].pixel(32, 32)[channel], colours[i][static_cast<std::size_t>(channel)], 3) << i;
      EXPECT_NEAR(own.pixel(32, 32)[channel], colours[i][static_cast<std::size_t>(channel)], 3) << i;
    }
  }
}

TEST_F(Encoder, APhotographSurvivesTheRoundTrip) {
  const Image photo =
      fit_image(read_image(fs::path(REELFARM_REFERENCE_DIR) / "images" / "photo.png"), 320, 192, Fit::kCrop);
  EncoderOptions settings = options(320, 192);
  settings.quality = 8;
  VideoEncoder encoder(folder_ / "a.partial", settings);
  for (int i = 0; i < 3; ++i) encoder.write(photo);
  encoder.publish(folder_ / "a.mp4");
  VideoReader reader(folder_ / "a.mp4");
  Image decoded;
  ASSERT_TRUE(reader.next(decoded));
  EXPECT_LT(difference(decoded, photo).mean, 2.5);
  EXPECT_LT(difference(testing::decode_with_ffmpeg(folder_ / "a.mp4", 320, 192).at(0), photo).mean, 2.5);
}

TEST_F(Encoder, AKilledWriterLeavesAPlayablePartial) {
  const fs::path partial = folder_ / "a.partial.mp4";
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // 24 frames a second and a key frame every 2 seconds: 200 frames hold 4 whole fragments.
    VideoEncoder encoder(partial, options(64, 64));
    for (int i = 0; i < 200; ++i) encoder.write(testing::moving_picture(64, 64, i));
    if (::write(ready[1], "x", 1) != 1) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  ::close(ready[1]);
  char byte = 0;
  EXPECT_EQ(::read(ready[0], &byte, 1), 1);
  ::close(ready[0]);
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  const nlohmann::json stream = testing::probe(partial)["streams"][0];
  EXPECT_GE(std::stoi(stream["nb_read_frames"].get<std::string>()), 96);
  EXPECT_EQ(stream["color_space"], "bt709");
  EXPECT_EQ(count_frames(partial) % 48, 0);
}

TEST_F(Encoder, NeverOverwritesAPublishedFile) {
  std::ofstream(folder_ / "a.mp4") << "precious";
  VideoEncoder encoder(folder_ / "a.partial", options(64, 64));
  encoder.write(testing::moving_picture(64, 64, 0));
  EXPECT_THROW(encoder.publish(folder_ / "a.mp4"), artifacts::StorageError);
  EXPECT_EQ(fs::file_size(folder_ / "a.mp4"), 8u);
}

TEST_F(Encoder, SaysWhatItCannotDo) {
  const auto message = [&](const EncoderOptions& settings) {
    try {
      VideoEncoder encoder(folder_ / "a.partial", settings);
    } catch (const VideoError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_THAT(message(options(63, 64)), HasSubstr("63x64: both sides must be even"));
  EXPECT_THAT(message(options(64, 65)), HasSubstr("must be even"));
  EXPECT_THAT(message(options(0, 64)), HasSubstr("from 16 to 8192"));
  EncoderOptions settings = options(64, 64);
  settings.rate = {0, 1};
  EXPECT_THAT(message(settings), HasSubstr("cannot encode at 0 frames a second"));
  settings = options(64, 64);
  settings.preset = "warp";
  EXPECT_THAT(message(settings), HasSubstr("cannot encode"));
  EXPECT_THAT(message(settings), HasSubstr("warp"));
  VideoEncoder encoder(folder_ / "b.partial", options(64, 64));
  EXPECT_THROW(encoder.finish(), VideoError) << "a video without frames";
  EXPECT_THROW(encoder.write(testing::noise(32, 32, 1)), VideoError);
  EXPECT_THROW(parse_codec("theora"), VideoError);
}

TEST_F(Encoder, AFullDiskIsAStorageError) {
  try {
    VideoEncoder encoder("/dev/full", options(64, 64));
    for (std::uint32_t i = 0; i < 200; ++i) encoder.write(testing::noise(64, 64, i));
    encoder.finish();
    FAIL() << "writing to a full disk went well";
  } catch (const artifacts::StorageError& error) {
    EXPECT_TRUE(error.no_space());
  }
}

struct CodecCase {
  const char* name;
  const char* codec;
  const char* pixel_format;
  const char* preset;
};

class EveryCodec : public Encoder, public ::testing::WithParamInterface<CodecCase> {};

TEST_P(EveryCodec, GivesTheSameBytesWhateverMemoryHeldBefore) {
  const auto& [name, codec, pixel_format, preset] = GetParam();
  EncoderOptions settings = options(160, 96);
  settings.codec = parse_codec(name);
  settings.preset = std::string(name) == "h264" ? "medium" : preset;
  std::vector<std::uint8_t> first;
  for (const int fill : {1, 77, 200}) {
    // glibc fills every fresh allocation with this byte: encoders that read before they write show it.
    ::mallopt(M_PERTURB, fill);
    const fs::path path = encode("fill" + std::to_string(fill), settings, 60);
    if (first.empty()) first = testing::bytes_of(path);
    EXPECT_TRUE(testing::bytes_of(path) == first) << "memory filled with " << fill;
  }
  ::mallopt(M_PERTURB, 0);
}

TEST_P(EveryCodec, GivesAWholeTaggedFileWithTheRightColours) {
  const auto& [name, codec, pixel_format, preset] = GetParam();
  EncoderOptions settings = options(96, 64);
  settings.codec = parse_codec(name);
  settings.preset = preset;
  EXPECT_EQ(to_string(settings.codec), name);
  const fs::path path = encode("a", settings, 20);
  const nlohmann::json stream = testing::probe(path)["streams"][0];
  EXPECT_EQ(stream["codec_name"], codec);
  EXPECT_EQ(stream["pix_fmt"], pixel_format);
  EXPECT_EQ(stream["nb_read_frames"], "20");
  EXPECT_EQ(stream["r_frame_rate"], "24/1");
  if (std::string(name) != "ffv1") {
    EXPECT_EQ(stream["color_space"], "bt709");
    EXPECT_EQ(stream["color_range"], "tv");
  }
  VideoReader reader(path);
  Image frame;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(reader.next(frame));
    EXPECT_LT(difference(frame, testing::moving_picture(96, 64, i)).mean, 6) << i;
  }
  EXPECT_FALSE(reader.next(frame));
}

INSTANTIATE_TEST_SUITE_P(Codecs, EveryCodec,
                         ::testing::Values(CodecCase{"h264", "h264", "yuv420p", "veryfast"},
                                           CodecCase{"hevc", "hevc", "yuv420p10le", "ultrafast"},
                                           CodecCase{"av1", "av1", "yuv420p10le", "12"},
                                           CodecCase{"prores422hq", "prores", "yuv422p10le", ""},
                                           CodecCase{"prores4444", "prores", "yuv444p12le", ""},
                                           CodecCase{"ffv1", "ffv1", "bgr0", ""}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace reelfarm::video

// x265 keeps some of its own memory at the end of an encoder; LeakSanitizer asks here what is not ours.
extern "C" const char* __lsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libx265";
}

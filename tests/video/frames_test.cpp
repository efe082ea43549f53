#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/artifacts/errors.hpp"
#include "pipeline/video/frame_writer.hpp"
#include "pipeline/video/image_reader.hpp"
#include "pipeline/video/video_reader.hpp"
#include "tests/video/video_fixture.hpp"

namespace reelfarm::video {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Frames : public testing::VideoTest {
 protected:
  fs::path write(const std::string& name, const std::vector<Image>& frames, int threads = 2) {
    const fs::path path = folder_ / name;
    FrameWriter writer(path, frames.front().width, frames.front().height, {24000, 1001}, threads);
    for (const Image& frame : frames) writer.write(frame);
    EXPECT_EQ(writer.frames(), static_cast<std::int64_t>(frames.size()));
    writer.finish();
    return path;
  }
};

TEST_F(Frames, ComeBackBitForBitAtEverySize) {
  for (const auto& [width, height] :
       {std::pair(64, 48), std::pair(16, 16), std::pair(33, 17), std::pair(17, 400), std::pair(272, 160),
        std::pair(256, 256), std::pair(300, 257), std::pair(960, 544)}) {
    std::vector<Image> frames;
    for (std::uint32_t i = 0; i < 4; ++i) frames.push_back(testing::noise(width, height, i));
    frames.push_back(testing::moving_picture(width, height, 9));
    VideoReader reader(write("a.mkv", frames));
    EXPECT_EQ(reader.info().width, width);
    EXPECT_EQ(reader.info().rate, (windows::FrameRate{24000, 1001}));
    Image image;
    for (const Image& frame : frames) {
      ASSERT_TRUE(reader.next(image));
      ASSERT_EQ(image, frame) << width << "x" << height;
    }
    EXPECT_FALSE(reader.next(image));
    EXPECT_FALSE(reader.next(image));
  }
}

TEST_F(Frames, AreReadTheSameByTheFfmpegProgram) {
  const std::vector<Image> frames = {testing::noise(48, 32, 1), testing::moving_picture(48, 32, 3)};
  const fs::path path = write("a.mkv", frames);
  EXPECT_EQ(testing::decode_with_ffmpeg(path, 48, 32), frames);
  const auto stream = testing::probe(path)["streams"][0];
  EXPECT_EQ(stream["codec_name"], "ffv1");
  EXPECT_EQ(stream["nb_read_frames"], "2");
}

TEST_F(Frames, GiveTheSameBytesAgainWithAnyThreads) {
  const std::vector<Image> frames = {testing::noise(64, 64, 1), testing::noise(64, 64, 2)};
  const auto one = testing::bytes_of(write("one.mkv", frames, 1));
  EXPECT_EQ(testing::bytes_of(write("again.mkv", frames, 1)), one);
  EXPECT_EQ(testing::bytes_of(write("three.mkv", frames, 3)), one);
  const std::vector<Image> large = {testing::noise(272, 256, 1), testing::noise(272, 256, 2)};
  EXPECT_EQ(testing::bytes_of(write("eight.mkv", large, 8)), testing::bytes_of(write("one.mkv", large, 1)));
}

TEST_F(Frames, AreSkippedWithoutDecoding) {
  std::vector<Image> frames;
  for (std::uint32_t i = 0; i < 10; ++i) frames.push_back(testing::noise(32, 32, i));
  const fs::path path = write("a.mkv", frames);
  VideoReader reader(path);
  Image image;
  reader.skip(7);
  ASSERT_TRUE(reader.next(image));
  EXPECT_EQ(image, frames[7]);
  reader.skip(1);
  ASSERT_TRUE(reader.next(image));
  EXPECT_EQ(image, frames[9]);
  EXPECT_THROW(reader.skip(1), BadMedia);
  EXPECT_EQ(count_frames(path), 10);
}

TEST_F(Frames, DamageIsFoundByTheSliceChecksums) {
  const fs::path path = write("a.mkv", {testing::noise(64, 64, 1), testing::noise(64, 64, 2)});
  std::vector<std::uint8_t> bytes = testing::bytes_of(path);
  bytes[bytes.size() / 2] ^= 0x40;
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<char*>(bytes.data()), std::ssize(bytes));
  VideoReader reader(path);
  Image image;
  try {
    while (reader.next(image)) {
    }
    FAIL() << "a damaged frame was accepted";
  } catch (const BadMedia& error) {
    EXPECT_THAT(error.what(), HasSubstr("at frame 0"));
    EXPECT_THAT(error.what(), HasSubstr("CRC"));
  }
}

TEST_F(Frames, AFullDiskIsAStorageError) {
  try {
    FrameWriter writer("/dev/full", 64, 64, {24, 1});
    for (std::uint32_t i = 0; i < 50; ++i) writer.write(testing::noise(64, 64, i));
    writer.finish();
    FAIL() << "writing to a full disk went well";
  } catch (const artifacts::StorageError& error) {
    EXPECT_TRUE(error.no_space());
    EXPECT_GT(error.bytes(), 0u);
    EXPECT_THAT(error.what(), HasSubstr("/dev/full"));
  }
}

TEST_F(Frames, RefuseAnotherSizeAndAnAbsentFolder) {
  FrameWriter writer(folder_ / "a.mkv", 64, 48, {24, 1});
  EXPECT_THROW(writer.write(testing::noise(48, 64, 1)), VideoError);
  EXPECT_THROW(FrameWriter(folder_ / "b.mkv", 15, 64, {24, 1}), VideoError);
  EXPECT_THROW(FrameWriter(folder_ / "absent" / "a.mkv", 64, 48, {24, 1}), artifacts::StorageError);
  EXPECT_THROW(VideoReader(folder_ / "absent.mkv"), artifacts::StorageError);
  std::ofstream(folder_ / "text.mkv") << "this is not a video";
  EXPECT_THROW(VideoReader(folder_ / "text.mkv"), BadMedia);
}

}  // namespace
}  // namespace reelfarm::video

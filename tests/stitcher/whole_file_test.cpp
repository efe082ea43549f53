#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/stitcher/read_ahead.hpp"
#include "pipeline/stitcher/stitcher.hpp"
#include "pipeline/stitcher/video_io.hpp"
#include "pipeline/stitcher/write_behind.hpp"
#include "pipeline/video/frame_writer.hpp"
#include "tests/stitcher/synthetic.hpp"
#include "tests/video/video_fixture.hpp"

namespace reelfarm::stitcher {
namespace {

namespace fs = std::filesystem;
using testing::Image;

class WholeFile : public video::testing::VideoTest {};

// The barcode in the centre of a larger frame, whose border the crop takes off.
Image framed_barcode(std::int64_t index) {
  const Image code = testing::barcode(index);
  Image image = testing::flat(48, 48, 90);
  for (int y = 0; y < code.height; ++y) std::copy_n(code.row(y), code.stride(), image.pixel(8, 8 + y));
  return image;
}

TEST_F(WholeFile, FromArtifactsToMp4EveryFrameIsInItsPlace) {
  for (const windows::GridRequest& request :
       {windows::GridRequest{110, 33, 1}, windows::GridRequest{111, 33, 5}, windows::GridRequest{7, 33, 1}}) {
    const windows::Grid grid = windows::plan(request);
    video::EncoderOptions options;
    options.width = 32;
    options.height = 32;
    options.preset = "ultrafast";
    video::VideoEncoder encoder(folder_ / "partial", options);
    std::int64_t calls = 0;
    EncoderSink sink(encoder, 32, 32);
    WriteBehind behind(sink, [&] { ++calls; });
    Stitcher stitcher(grid, {}, behind);
    for (const windows::Window& window : grid.windows) {
      const fs::path path = folder_ / "frames.mkv";
      video::FrameWriter writer(path, 48, 48, options.rate);
      for (std::int64_t g = window.frames.first; g <= window.frames.last; ++g) writer.write(framed_barcode(g));
      writer.finish();
      FileSource source(path);
      ReadAhead ahead(source);
      stitcher.add_window(ahead);
    }
    behind.finish();
    const fs::path final_path = folder_ / ("out" + std::to_string(request.frames) + ".mp4");
    encoder.publish(final_path);
    EXPECT_EQ(calls, request.frames);
    const std::vector<Image> decoded = video::testing::decode_with_ffmpeg(final_path, 32, 32);
    ASSERT_EQ(static_cast<std::int64_t>(decoded.size()), request.frames);
    for (std::size_t t = 0; t < decoded.size(); ++t) {
      ASSERT_EQ(testing::read_barcode(decoded[t]), static_cast<std::int64_t>(t));
    }
    EXPECT_EQ(video::testing::probe(final_path)["streams"][0]["nb_frames"], std::to_string(request.frames));
  }
}

TEST_F(WholeFile, StartAtSkipsInsideAFile) {
  const windows::Grid grid = windows::plan({60, 33, 5});
  const auto write = [&](std::size_t j) {
    const fs::path path = folder_ / ("w" + std::to_string(j) + ".mkv");
    video::FrameWriter writer(path, 48, 48, {24, 1});
    for (std::int64_t g = grid.windows[j].frames.first; g <= grid.windows[j].frames.last; ++g) {
      writer.write(framed_barcode(g));
    }
    writer.finish();
    return path;
  };
  testing::CollectingSink sink;
  Stitcher stitcher(grid, {}, sink);
  FileSource previous(write(0));
  stitcher.start_at(1, previous);
  FileSource second(write(1));
  stitcher.add_window(second);
  EXPECT_EQ(sink.frames.front(), framed_barcode(grid.windows[1].frames.first));
}

TEST_F(WholeFile, TooSmallFramesCannotBeCropped) {
  video::EncoderOptions options;
  options.width = 64;
  options.height = 64;
  video::VideoEncoder encoder(folder_ / "partial", options);
  EncoderSink sink(encoder, 64, 64);
  EXPECT_THROW(sink.write(testing::flat(48, 64, 1)), StitchError);
}

}  // namespace
}  // namespace reelfarm::stitcher

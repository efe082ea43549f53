#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "pipeline/video/image.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::video::testing {

/// A folder of its own for each test, removed afterwards.
class VideoTest : public ::testing::Test {
 protected:
  const test::TemporaryFolder owned_folder_;
  const std::filesystem::path folder_ = owned_folder_.path();
};

inline std::vector<std::uint8_t> bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What a command prints; the test fails when it ends with an error.
inline std::string output_of(const std::string& command) {
  std::string output;
  FILE* pipe = ::popen(command.c_str(), "r");
  std::array<char, 65536> buffer;
  while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    output.append(buffer.data(), count);
  }
  EXPECT_EQ(::pclose(pipe), 0) << command;
  return output;
}

/// ffprobe's view of the first video stream, every frame counted by decoding.
inline nlohmann::json probe(const std::filesystem::path& path) {
  const std::string text = output_of(
      "ffprobe -v error -count_frames -select_streams v:0 -show_streams -show_format -of json '" + path.string() + "'");
  return nlohmann::json::parse(text);
}

/// Every frame decoded to RGB by the ffmpeg program with the bt709 matrix.
inline std::vector<Image> decode_with_ffmpeg(const std::filesystem::path& path, int width, int height) {
  const std::string raw = output_of("ffmpeg -v error -i '" + path.string() +
                                    "' -vf scale=in_color_matrix=bt709:in_range=tv:flags=accurate_rnd+full_chroma_int "
                                    "-f rawvideo -pix_fmt rgb24 -");
  std::vector<Image> frames;
  const std::size_t size = std::size_t(width) * height * 3;
  for (std::size_t offset = 0; offset + size <= raw.size(); offset += size) {
    Image image(width, height);
    std::copy_n(raw.begin() + static_cast<std::ptrdiff_t>(offset), size, image.rgb.begin());
    frames.push_back(std::move(image));
  }
  return frames;
}

/// Smooth picture that moves with `frame`, so that no two frames are alike.
inline Image moving_picture(int width, int height, int frame) {
  Image image(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      std::uint8_t* pixel = image.pixel(x, y);
      pixel[0] = static_cast<std::uint8_t>(x * 3 + frame * 2);
      pixel[1] = static_cast<std::uint8_t>(y * 2 + frame);
      pixel[2] = static_cast<std::uint8_t>((x + y) / 2 + 5 * frame);
    }
  }
  return image;
}

inline Image noise(int width, int height, std::uint32_t seed) {
  Image image(width, height);
  std::uint32_t state = seed * 2654435761U + 1;
  for (std::uint8_t& value : image.rgb) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<std::uint8_t>(state >> 24);
  }
  return image;
}

}  // namespace reelfarm::video::testing

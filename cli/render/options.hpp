#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "pipeline/video/codec.hpp"
#include "pipeline/windows/size.hpp"

namespace reelfarm::render {

/// The command line is wrong; the text says how.
class OptionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What `reelfarm render` was asked for. What is empty comes from the bundle.
struct RenderCommand {
  std::filesystem::path bundle;
  std::vector<std::string> loras;  ///< FILE or FILE:scale each
  bool loras_apart = false;        ///< beside the weights; else only where the weights are in 8 bits
  std::string prompt;
  std::filesystem::path image;
  std::string image_fit;
  std::optional<windows::Size> size;
  std::optional<std::int64_t> frames;
  std::optional<std::int64_t> window_frames;
  std::optional<std::int64_t> overlap_frames;
  std::optional<std::uint64_t> seed;
  std::optional<int> steps;
  std::optional<double> guidance;
  std::string device;
  std::string dtype;
  std::string tiles;
  std::string max_memory;
  std::string mesh;
  int threads = 0;
  std::filesystem::path output;
  bool overwrite = false;
  video::Codec codec = video::Codec::kH264;
  std::filesystem::path initial_latents;
  std::filesystem::path save_latents;
  std::filesystem::path save_frames;
};

/// Nothing when --help was asked for and printed. Throws OptionError and windows::InvalidRequest.
std::optional<RenderCommand> read_options(int argc, char** argv);

}  // namespace reelfarm::render

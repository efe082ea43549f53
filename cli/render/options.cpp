#include "cli/render/options.hpp"

#include <boost/program_options.hpp>
#include <iostream>

namespace reelfarm::render {
namespace {

namespace po = boost::program_options;

/// An option that may be absent, as std::optional.
template <typename Value>
std::optional<Value> optional_value(const po::variables_map& values, const char* name) {
  if (!values.contains(name)) return std::nullopt;
  return values[name].as<Value>();
}

std::filesystem::path path_value(const po::variables_map& values, const char* name) {
  return values.contains(name) ? std::filesystem::path(values[name].as<std::string>()) : std::filesystem::path();
}

video::Codec codec_of(const std::string& text, const std::filesystem::path& output) {
  video::Codec codec{};
  try {
    codec = video::parse_codec(text);
  } catch (const video::VideoError& error) {
    throw OptionError(std::string("--codec: ") + error.what());
  }
  const std::string extension = video::extension_of(codec);
  if (output.extension() != extension) {
    throw OptionError("--output " + output.string() + ": --codec " + text + " makes files that end with " + extension);
  }
  return codec;
}

}  // namespace

std::optional<RenderCommand> read_options(int argc, char** argv) {
  RenderCommand command;
  po::options_description options(
      "reelfarm render: one clip or one long video, without a queue.\n"
      "Sizes, frames, steps and guidance come from the bundle unless given.\n\nOptions");
  auto add = options.add_options();
  add("help,h", "this text");
  add("bundle", po::value<std::string>()->required(), "folder with the weights");
  add("lora", po::value(&command.loras), "FILE or FILE:scale, added to the transformer; may be given again and again");
  add("lora-apart", po::bool_switch(&command.loras_apart),
      "apply LoRAs beside the weights, unmerged, as is done anyway where these are in 8 bits");
  add("prompt", po::value(&command.prompt)->required(), "what to show");
  add("image", po::value<std::string>(),
      "the first frame: PNG, JPEG or WebP; without it the bundle makes one, if it can");
  add("image-fit", po::value(&command.image_fit)->default_value("crop"), "crop, stretch or pad");
  add("size", po::value<std::string>(),
      "WIDTHxHEIGHT in pixels, even; rendered at the next multiple of 16 and cropped");
  add("frames", po::value<std::int64_t>(), "frames of the video; more than a window are rendered as a chain");
  add("window", po::value<std::int64_t>(), "frames of one model call, 4k+1");
  add("overlap", po::value<std::int64_t>(), "frames that neighbouring windows share: 1, 5, 9, ...");
  add("seed", po::value<std::uint64_t>(), "0 unless given");
  add("steps", po::value<int>(), "denoise steps");
  add("guidance", po::value<double>(), "embedded guidance; ignored by weights without it");
  add("dtype", po::value(&command.dtype)->default_value("auto"), "auto, fp32, bf16, fp8, int8 (weights) or w8a8");
  add("device", po::value(&command.device)->default_value("auto"), "auto, cpu or cuda");
  add("mesh", po::value(&command.mesh), "how mpirun's ranks split a window: ulysses x ring, as UxR");
  add("threads", po::value(&command.threads)->default_value(0), "CPU threads a rank; 0: cores / ranks");
  add("tiles", po::value(&command.tiles)->default_value("auto"),
      "tile plan of the VAE; auto: diffusers, or diffusers-spatial where memory is short");
  add("max-memory", po::value(&command.max_memory),
      "of each GPU, such as 16G: weights that do not fit are streamed from host memory; all of it unless given");
  add("output", po::value<std::string>()->required(), "the video, FILE.mp4");
  add("codec", po::value<std::string>(),
      "h264 unless given, hevc or av1 (.mp4), prores422hq or prores4444 (.mov), ffv1 (.mkv): every frame as stitched");
  add("overwrite", po::bool_switch(&command.overwrite),
      "replace an existing output instead of taking the next free _v2, _v3, ...");
  add("initial-latents", po::value<std::string>(),
      "safetensors with the noise as initial_latents [1,16,L,h,w] fp32 (one window)");
  add("save-latents", po::value<std::string>(), "write latents [1,16,L,h,w] fp32 to this safetensors (one window)");
  add("save-frames", po::value<std::string>(),
      "write video [F,H,W,3] fp32 in [0,1], before rounding, to this safetensors (one window)");

  po::variables_map values;
  try {
    po::store(po::parse_command_line(argc, argv, options), values);
    if (values.contains("help")) {
      std::cout << options;
      return std::nullopt;
    }
    po::notify(values);
  } catch (const po::error& error) {
    throw OptionError(error.what());
  }
  if (command.threads < 0) throw OptionError("--threads " + std::to_string(command.threads) + ": expected 0 or more");
  command.bundle = path_value(values, "bundle");
  command.image = path_value(values, "image");
  command.output = path_value(values, "output");
  command.initial_latents = path_value(values, "initial-latents");
  command.save_latents = path_value(values, "save-latents");
  command.save_frames = path_value(values, "save-frames");
  if (values.contains("codec")) command.codec = codec_of(values["codec"].as<std::string>(), command.output);
  if (values.contains("size")) command.size = windows::parse_size(values["size"].as<std::string>());
  command.frames = optional_value<std::int64_t>(values, "frames");
  command.window_frames = optional_value<std::int64_t>(values, "window");
  command.overlap_frames = optional_value<std::int64_t>(values, "overlap");
  command.seed = optional_value<std::uint64_t>(values, "seed");
  command.steps = optional_value<int>(values, "steps");
  command.guidance = optional_value<double>(values, "guidance");
  if (command.steps && *command.steps < 1)
    throw OptionError("--steps " + std::to_string(*command.steps) + ": expected at least 1");
  return command;
}

}  // namespace reelfarm::render

#include "cli/render/long_clip.hpp"

#include <algorithm>
#include <vector>

#include "cli/render/tensor_files.hpp"
#include "pipeline/stitcher/stitcher.hpp"
#include "pipeline/stitcher/video_io.hpp"
#include "pipeline/stitcher/write_behind.hpp"
#include "pipeline/video/encoder.hpp"
#include "pipeline/video/image_fit.hpp"
#include "pipeline/video/image_reader.hpp"
#include "pipeline/windows/seeds.hpp"

namespace reelfarm::render {
namespace {

namespace fs = std::filesystem;

/// Decoded frames, (n, H, W, 3) uint8, as the stitcher reads them.
class TensorFrames final : public stitcher::FrameSource {
 public:
  explicit TensorFrames(at::Tensor frames) : frames_(std::move(frames)) {}
  bool next(video::Image& frame) override {
    if (next_ == frames_.size(0)) return false;
    frame = to_image(frames_, next_++);
    return true;
  }

 private:
  at::Tensor frames_;
  std::int64_t next_ = 0;
};

fs::path next_free(const fs::path& path) {
  fs::path candidate = path;
  for (int version = 2; fs::exists(candidate); ++version) {
    candidate =
        path.parent_path() / (path.stem().string() + "_v" + std::to_string(version) + path.extension().string());
  }
  return candidate;
}

/// What the first window starts from: the user's image as given and fitted, or a frame made from the prompt.
void give_first_frame(const Renderer& renderer, const RenderCommand& command, const ClipPlan& plan,
                      WindowRequest& request, const OnProgress& on_progress) {
  if (!renderer.manifest().needs_image()) return;
  if (command.image.empty()) {
    request.condition =
        renderer
            .first_frame(command.prompt, request.width, request.height,
                         windows::window_seed(plan.seed, windows::kImageSeedWindow, windows::kFirstTake), on_progress)
            .unsqueeze(0);
    return;
  }
  request.image = video::read_image(command.image);
  request.condition =
      to_frames(video::fit_image(*request.image, request.width, request.height, video::parse_fit(command.image_fit)));
}

}  // namespace

ClipPlan plan_clip(const RenderCommand& command, const weights::BundleManifest& manifest) {
  ClipPlan plan;
  plan.size = windows::plan_size(command.size.value_or(windows::Size{manifest.width, manifest.height}));
  windows::GridRequest request;
  request.window_frames = command.window_frames.value_or(manifest.window_frames);
  request.frames =
      command.frames.value_or(manifest.default_frames > 0 ? manifest.default_frames : request.window_frames);
  request.overlap_frames = command.overlap_frames.value_or(manifest.overlap_frames.front());
  plan.grid = windows::plan(request);
  plan.seed = command.seed.value_or(0);
  plan.steps = command.steps.value_or(manifest.sampling.steps);
  plan.guidance = command.guidance.value_or(manifest.sampling.guidance);

  const bool several = plan.grid.windows.size() > 1;
  if (several && manifest.single_window_only()) {
    throw RequestError("the bundle '" + manifest.name + "' cannot continue a window, and " +
                       std::to_string(request.frames) + " frames need " + std::to_string(plan.grid.windows.size()) +
                       " windows; at most " + std::to_string(request.window_frames) + " frames fit in one");
  }
  const auto& allowed = manifest.overlap_frames;
  if (several && std::ranges::find(allowed, request.overlap_frames) == allowed.end()) {
    std::string known;
    for (const int frames : allowed) known += " " + std::to_string(frames);
    throw RequestError("--overlap " + std::to_string(request.overlap_frames) + ": the bundle '" + manifest.name +
                       "' was made for overlaps of" + known + " frames");
  }
  if (manifest.needs_image() && command.image.empty() && !manifest.t2i) {
    throw RequestError("the bundle '" + manifest.name + "' animates an image and has none of its own: give --image");
  }
  if (!manifest.needs_image() && !command.image.empty()) {
    throw RequestError("--image " + command.image.string() + ": the bundle '" + manifest.name +
                       "' makes video from text alone");
  }
  if (!command.image.empty() && !fs::is_regular_file(command.image)) {
    throw OptionError("--image " + command.image.string() + ": there is no such file");
  }
  const bool tensors =
      !command.initial_latents.empty() || !command.save_latents.empty() || !command.save_frames.empty();
  if (several && tensors) {
    throw OptionError("--initial-latents, --save-latents and --save-frames are for one window; " +
                      std::to_string(request.frames) + " frames need " + std::to_string(plan.grid.windows.size()));
  }
  return plan;
}

fs::path render_clip(const Renderer& renderer, const RenderCommand& command, const ClipPlan& plan,
                     const OnClipProgress& on_progress) {
  const weights::BundleManifest& manifest = renderer.manifest();
  const windows::Grid& grid = plan.grid;
  if (!command.output.parent_path().empty()) fs::create_directories(command.output.parent_path());
  fs::path partial = command.output;
  partial += ".partial" + video::extension_of(command.codec);

  video::EncoderOptions encoding;
  encoding.codec = command.codec;
  encoding.width = plan.size.asked.width;
  encoding.height = plan.size.asked.height;
  encoding.rate = manifest.frame_rate;
  video::VideoEncoder encoder(partial, encoding);
  stitcher::EncoderSink sink(encoder, encoding.width, encoding.height);
  // A window is encoded while the next one is rendered.
  stitcher::WriteBehind behind(sink, {}, static_cast<std::size_t>(grid.windows.front().frames.count()));
  stitcher::Stitcher stitcher(grid, {}, behind);

  WindowRequest request;
  request.prompt = command.prompt;
  request.width = plan.size.rendered.width;
  request.height = plan.size.rendered.height;
  request.steps = plan.steps;
  request.shift = manifest.sampling.shift;
  request.guidance = plan.guidance;
  for (const windows::Window& window : grid.windows) {
    const auto index = static_cast<std::size_t>(window.index);
    const OnProgress progress = [&](const Progress& now) { on_progress(index, now); };
    request.num_latents = window.latents.count();
    request.seed = windows::window_seed(plan.seed, index, windows::kFirstTake);
    if (index == 0) give_first_frame(renderer, command, plan, request, progress);
    if (!command.initial_latents.empty()) {
      const std::int64_t scale = manifest.vae_scale_spatial;
      request.initial_latents = read_tensor(
          command.initial_latents, "initial_latents",
          {1, manifest.latent_channels, request.num_latents, request.height / scale, request.width / scale});
    }
    const at::Tensor latents = renderer.denoise(request, progress);
    if (!command.save_latents.empty()) write_tensor(command.save_latents, "latents", latents);

    std::vector<at::Tensor> pieces;
    std::vector<at::Tensor> exact;
    renderer.decode(
        latents, {0, !command.save_frames.empty()},
        [&](const DecodedFrames& piece) {
          pieces.push_back(piece.rgb8);
          if (piece.rgb.defined()) exact.push_back(piece.rgb);
        },
        progress);
    if (!exact.empty()) write_tensor(command.save_frames, "video", at::cat(exact));
    const at::Tensor frames = at::cat(pieces);
    TensorFrames source(frames);
    stitcher.add_window(source);
    if (index + 1 == grid.windows.size()) break;
    // The next window starts from the 8-bit frames that the viewer sees, as in the farm.
    request.condition = frames.narrow(0, frames.size(0) - grid.overlap_frames, grid.overlap_frames).clone();
    request.image.reset();
  }
  behind.finish();
  fs::path output = command.overwrite ? command.output : next_free(command.output);
  if (command.overwrite) fs::remove(output);
  encoder.publish(output);
  return output;
}

}  // namespace reelfarm::render

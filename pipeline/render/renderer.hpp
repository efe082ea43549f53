#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "pipeline/nn/placement.hpp"
#include "pipeline/render/progress.hpp"
#include "pipeline/render/rank_groups.hpp"
#include "pipeline/render/request_error.hpp"
#include "pipeline/render/residency.hpp"
#include "pipeline/video/image.hpp"
#include "pipeline/weights/bundle.hpp"

namespace reelfarm::render {

/// Where the denoising of a window stands: all that is needed to go on from there.
struct StepState {
  int steps_done = 0;
  at::Tensor latents;  ///< (1, 16, L, h, w) fp32
};

/// One model call: a window of a video. Sizes are rendered pixels, multiples of 16.
struct WindowRequest {
  std::string prompt;
  /// Given frames at the window's start, (n, height, width, 3) uint8 on the CPU, n = 4(c-1)+1 for c given latent
  /// frames. Undefined only for text-to-video weights.
  at::Tensor condition;
  /// What the vision branch sees: the user's image as given for the first window. Empty: the first frame of
  /// `condition`.
  std::optional<video::Image> image;
  int width = 0;
  int height = 0;
  std::int64_t num_latents = 0;
  std::uint64_t seed = 0;
  int steps = 0;
  double shift = 0;
  double guidance = 0;  ///< used only where the weights embed it
  /// Noise in place of the seed's, (1, 16, L, h, w) fp32.
  at::Tensor initial_latents;
  /// Goes on from a state that OnStep gave for the same request: the result is the same bits.
  std::optional<StepState> resume;
};

/// Called after each step, before OnProgress hears of it, so that what is reported as done can be kept first. The
/// latents are not written to later.
using OnStep = std::function<void(const StepState& state)>;

struct DecodedFrames {
  std::int64_t first_frame = 0;  ///< in the window
  at::Tensor rgb8;               ///< (n, H, W, 3) uint8 on the CPU
  at::Tensor rgb;                ///< (n, H, W, 3) fp32 in [0, 1] on the CPU; undefined unless asked for
};

struct DecodeRequest {
  /// Pixel frames at the end that are wanted first; 0: frames come in ascending order.
  std::int64_t tail_frames = 0;
  bool with_float = false;
  /// Whether the caller has a frame already, from an earlier decode of the same latents; it does not come again.
  std::function<bool(std::int64_t frame)> have = {};
};

/// The whole model system of a bundle with its weights at hand: text encoders, transformers, VAE.
/// Const members may run on two threads at once: one window denoises while another is decoded, or waits for its turn
/// where the residency says so.
///
/// With options.ranks it is rank 0 of several, which share each forward and decode; the others are Followers of the
/// same bundle. What a callback throws then ends the work at the end of the running forward, or of the tiles being
/// decoded.
class Renderer {
 public:
  struct Options {
    nn::Placement placement;
    std::string tiles = "diffusers";  ///< tile plan of the VAE; part of the fingerprint
    /// Must outlive the renderer. Null: one rank.
    const RankGroups* ranks = nullptr;
    Residency residency = {};
  };

  /// Loads every component; collective where there are ranks. Throws weights::WeightError, RequestError for an unknown
  /// tile plan, and parallel::PeerFailed when another rank could not load.
  Renderer(const weights::Bundle& bundle, Options options, const OnProgress& on_progress = {});
  ~Renderer();

  const weights::BundleManifest& manifest() const;
  const Options& options() const;
  /// render::way_of_heads() of the video transformer; empty without ranks.
  const std::string& way_of_heads() const;

  /// Of the latents of a window: (1, C, L, h, w). `width`, `height` in pixels.
  std::vector<std::int64_t> latent_shape(int width, int height, std::int64_t num_latents) const;

  /// The tiles in which so many latents are decoded. `width`, `height` in pixels.
  std::size_t decode_tiles(int width, int height, std::int64_t num_latents) const;

  /// Throws RequestError when the prompt is empty, not UTF-8, or longer than the encoders take (with both counts).
  void check_prompt(const std::string& prompt) const;

  /// Text to image: the first frame of a video, (height, width, 3) uint8 on the CPU. Throws RequestError when the
  /// bundle has no text-to-image transformer.
  at::Tensor first_frame(const std::string& prompt, int width, int height, std::uint64_t seed,
                         const OnProgress& on_progress = {}) const;

  /// Encodes prompt and condition and runs all steps: (1, 16, L, h, w) fp32 latents, as scaled for the transformer.
  /// Throws std::runtime_error when they hold NaN or infinity.
  at::Tensor denoise(const WindowRequest& request, const OnProgress& on_progress = {},
                     const OnStep& on_step = {}) const;

  /// Decodes latents to 8-bit frames, the tail first where one is asked for; each frame comes at most once.
  /// `on_frames` is called on a thread of its own while the next frames are decoded, and not any more on return.
  void decode(const at::Tensor& latents, const DecodeRequest& request,
              const std::function<void(DecodedFrames)>& on_frames, const OnProgress& on_progress = {}) const;

 private:
  struct Models;
  std::unique_ptr<Models> models_;
};

/// The image as a (1, height, width, 3) uint8 tensor, copied.
at::Tensor to_frames(const video::Image& image);
/// Frame `index` of (n, H, W, 3) uint8 frames on the CPU.
video::Image to_image(const at::Tensor& frames, std::int64_t index = 0);

}  // namespace reelfarm::render

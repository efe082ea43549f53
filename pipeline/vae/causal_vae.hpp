#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <ATen/core/Tensor.h>

#include "pipeline/nn/conv3d.hpp"
#include "pipeline/nn/placement.hpp"
#include "pipeline/vae/config.hpp"
#include "pipeline/vae/decoder.hpp"
#include "pipeline/vae/encoder.hpp"
#include "pipeline/vae/lacking_frames.hpp"
#include "pipeline/vae/tile_plan.hpp"
#include "pipeline/vae/tile_waves.hpp"

namespace reelfarm::vae {

/// Frames of a decode that are final. Both tensors lie on the VAE's device.
struct FrameChunk {
  std::int64_t first_frame = 0;
  at::Tensor rgb8;  // (n, H, W, 3) uint8
  at::Tensor rgb;   // (n, H, W, 3) fp32 in [0, 1], before rounding; undefined unless asked for
};

/// Called after each block of the network with the blocks done so far, of all tiles.
using OnProgress = std::function<void(std::size_t done, std::size_t total)>;

struct DecodeOptions {
  std::string plan = "diffusers";
  DecodeOrder order = DecodeOrder::forward;
  /// With last_first: the pixel frames at the end that are wanted before all others.
  std::int64_t tail_frames = 1;
  /// Whether chunks carry `rgb` besides `rgb8`.
  bool with_float = false;
  /// Whether the caller has these frames already, from an earlier decode of the same latents with the same plan: they
  /// do not come again, and tiles that only they need are left out.
  HaveFrame have = {};
  /// Of a decode by several ranks.
  LeadersShare leader = LeadersShare::like_others;
  OnProgress on_progress = {};
};

/// The causal 3D VAE of HunyuanVideo with its weights. The bits of a result depend on weights, placement, plan and
/// number of threads, not on the order of the tiles. Source: arXiv 2412.03603 section 4.1.
class CausalVae {
 public:
  /// Reads every tensor below the reader's scope. Throws weights::WeightError.
  CausalVae(VaeConfig config, const nn::ParameterReader& reader);
  /// Opens the vae folder of a bundle. Throws VaeError and weights::WeightError.
  static std::unique_ptr<CausalVae> open(const std::filesystem::path& folder, const nn::Placement& placement);

  /// Video to scaled latents: the mode of the distribution, not a sample, times the scaling factor.
  /// video: (1, 3, F, H, W) in [-1, 1], F = 4k + 1, any float type -> (1, latent_channels, k + 1, H / s, W / s) fp32 on
  /// the VAE's device. Throws VaeError for another shape or an unknown plan.
  at::Tensor encode(const at::Tensor& video, std::string_view plan, const OnProgress& on_progress = {}) const;

  /// The tiles of an encode. Throws VaeError as encode() does.
  TilePlan plan_encode(const at::Tensor& video, std::string_view plan) const;
  /// One tile, as latents before scaling and mixing: (1, latent_channels, l, h, w) fp32. video: the whole. Calls
  /// `on_block` encode_steps() times.
  at::Tensor encode_tile(const at::Tensor& video, const AxisTile& frames, const AxisTile& row, const AxisTile& column,
                         const std::function<void()>& on_block = {}) const;
  std::size_t encode_steps() const { return encoder_.steps(); }
  /// What encode() returns, of the tiles of a plan, each asked for once.
  at::Tensor join_encoded(
      const TilePlan& plan,
      const std::function<at::Tensor(const AxisTile& frames, const AxisTile& row, const AxisTile& column)>& tile) const;

  /// Scaled latents to finished frames, chunk by chunk; each frame comes exactly once. Forward order gives ascending
  /// chunks; last_first gives the tail, then the rest ascending. At most one tile and the borders of its neighbours are
  /// held in fp32. latents: (1, latent_channels, L, h, w), any float type. Throws VaeError for another shape or plan,
  /// and for NaN in what was decoded.
  void decode(const at::Tensor& latents, const DecodeOptions& options,
              const std::function<void(FrameChunk)>& on_frames) const;

  /// The whole decoded sample before clamping, (1, 3, 4 (L - 1) + 1, s h, s w) fp32, about [-1, 1].
  at::Tensor decode_sample(const at::Tensor& latents, std::string_view plan) const;

  /// One tile of a plan, without the frames that the plan drops from its start: (1, 3, F, H, W) fp32, about [-1, 1],
  /// before any mixing with its neighbours. latents: those of the whole clip. Calls `on_block` decode_steps() times.
  at::Tensor decode_tile(const at::Tensor& latents, const AxisTile& frames, const AxisTile& row, const AxisTile& column,
                         const std::function<void()>& on_block = {}) const;
  std::size_t decode_steps() const { return decoder_.steps(); }

  /// Throws VaeError unless these are latents that decode() takes.
  void require_latents(const at::Tensor& latents) const;
  /// The VaeError for decoded frames from `first_frame` on that hold NaN.
  [[noreturn]] void throw_not_finite(std::int64_t first_frame) const;

  const VaeConfig& config() const { return config_; }
  const nn::Placement& placement() const { return placement_; }

 private:
  using Emit = std::function<void(std::int64_t first_frame, const at::Tensor& sample)>;
  void decode_tiles(const at::Tensor& latents, const DecodeOptions& options, const Emit& emit) const;

  VaeConfig config_;
  nn::Placement placement_;
  Encoder encoder_;
  Decoder decoder_;
  nn::Conv3d mode_conv_;        // the rows of quant_conv that make the mean; the variance is never used
  nn::Conv3d post_quant_conv_;  // fp32, as the decoder's first convolution
};

}  // namespace reelfarm::vae

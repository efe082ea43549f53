#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/vae/errors.hpp"

namespace reelfarm::vae {

/// Epsilon of every group norm of the architecture.
constexpr double kNormEps = 1e-6;

/// The causal 3D VAE of HunyuanVideo, as vae/config.json of a bundle describes it. Source: arXiv 2412.03603
/// section 4.1; field names and defaults: diffusers' AutoencoderKLHunyuanVideo.
struct VaeConfig {
  std::int64_t latent_channels = 16;
  std::vector<std::int64_t> block_out_channels = {128, 256, 512, 512};
  std::int64_t layers_per_block = 2;
  std::int64_t norm_num_groups = 32;
  double scaling_factor = 0.476986;
  std::int64_t spatial_compression_ratio = 8;
  std::int64_t temporal_compression_ratio = 4;
  bool mid_block_add_attention = true;

  /// Reads the text of a config.json; `source` names it in messages. Throws VaeError for a missing class name, a field
  /// of the wrong kind, or a value that the architecture cannot have.
  static VaeConfig from_json(std::string_view text, const std::string& source);
  /// Reads <folder>/config.json. Throws VaeError.
  static VaeConfig load(const std::filesystem::path& folder);

  /// Whether the encoder halves these after block `block`; the decoder doubles them in the same places, counted from
  /// its own first block.
  bool resamples_space(std::size_t block) const;
  bool resamples_time(std::size_t block) const;

  /// Latent frames of a clip of 4k + 1 frames, and the frames of that many latents.
  std::int64_t latent_frames(std::int64_t frames) const { return (frames - 1) / temporal_compression_ratio + 1; }
  std::int64_t sample_frames(std::int64_t latents) const { return (latents - 1) * temporal_compression_ratio + 1; }
};

}  // namespace reelfarm::vae

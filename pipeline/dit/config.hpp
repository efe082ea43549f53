#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "pipeline/dit/errors.hpp"

namespace reelfarm::dit {

/// Epsilon of every norm of this architecture.
constexpr double kNormEps = 1e-6;

/// How an image reaches the transformer.
enum class ImageCondition {
  none,           // text to video or to image
  latent_concat,  // channels [noisy | condition | mask]
  token_replace,  // latent frame 0 is the condition; its tokens are modulated as at time 0
};

/// The shape of a HunyuanVideo transformer: the fields of diffusers' HunyuanVideoTransformer3DModel.
struct DitConfig {
  std::int64_t in_channels = 16;  // of the transformer's input: 33 for latent_concat
  std::int64_t out_channels = 16;
  std::int64_t num_heads = 24;
  std::int64_t head_dim = 128;
  std::int64_t num_double_blocks = 20;
  std::int64_t num_single_blocks = 40;
  std::int64_t num_refiner_blocks = 2;
  double mlp_ratio = 4.0;
  std::int64_t patch_size = 2;
  std::int64_t patch_size_t = 1;
  bool guidance = true;
  std::int64_t text_dim = 4096;
  std::int64_t pooled_dim = 768;
  double rope_theta = 256.0;
  std::array<std::int64_t, 3> rope_dims{16, 56, 56};  // frames, rows, columns; sums to head_dim
  ImageCondition condition = ImageCondition::none;

  std::int64_t width() const { return num_heads * head_dim; }
  std::int64_t mlp_width() const;
  /// Scalars of one token's patch with `channels` channels.
  std::int64_t patch_elements(std::int64_t channels) const { return channels * patch_size_t * patch_size * patch_size; }

  /// `where` names the source in messages. An absent key has the value of the published model; an unknown one (a
  /// leading underscore is diffusers' own) is an error, as is a value this architecture cannot have. Throws
  /// ConfigError.
  static DitConfig from_json(const nlohmann::json& json, std::string_view where);
  /// Reads transformer/config.json or the like. Throws ConfigError, also when the file cannot be read or parsed.
  static DitConfig from_file(const std::filesystem::path& path);
};

}  // namespace reelfarm::dit

#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "pipeline/nn/norm.hpp"
#include "pipeline/text_encoders/clip_layers.hpp"

namespace reelfarm::weights {
class Config;
}

namespace reelfarm::text_encoders {

/// The fields of a CLIPVisionModel config.json; defaults are those of transformers' CLIPVisionConfig.
struct ClipVisionConfig {
  ClipLayersConfig layers;
  std::int64_t num_channels;
  std::int64_t image_size;  // pixels, square
  std::int64_t patch_size;  // pixels, square

  /// Throws weights::WeightError naming the field.
  static ClipVisionConfig parse(const weights::Config& source);

  /// Patches of one image; the hidden states have one row more, the class token in front.
  std::int64_t num_patches() const { return (image_size / patch_size) * (image_size / patch_size); }
};

/// CLIP's vision model, read for the hidden states between its layers.
class ClipVision {
 public:
  /// Loads what hidden_states()[0..used_layers] needs; the final norm, which no hidden state sees, is passed over.
  ClipVision(const nn::ParameterReader& reader, const ClipVisionConfig& config, std::int64_t used_layers);

  /// pixels: (B, channels, image_size, image_size), normalised -> used_layers + 1 tensors (B, 1 + patches, hidden).
  std::vector<at::Tensor> hidden_states(const at::Tensor& pixels) const;

  const ClipVisionConfig& config() const { return config_; }

 private:
  ClipVisionConfig config_;
  at::Tensor class_embedding_;
  at::Tensor patch_weight_;
  at::Tensor position_embedding_;
  nn::LayerNorm pre_norm_;
  ClipLayers layers_;
};

}  // namespace reelfarm::text_encoders

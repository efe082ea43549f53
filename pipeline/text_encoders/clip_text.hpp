#pragma once

#include <cstdint>
#include <span>

#include <ATen/core/Tensor.h>

#include "pipeline/nn/norm.hpp"
#include "pipeline/text_encoders/clip_layers.hpp"

namespace reelfarm::weights {
class Config;
}

namespace reelfarm::text_encoders {

/// The fields of a CLIPTextModel config.json; defaults are those of transformers' CLIPTextConfig.
struct ClipTextConfig {
  ClipLayersConfig layers;
  std::int64_t vocab_size;
  std::int64_t max_positions;
  std::int64_t eos_token_id;

  /// Takes the config of CLIPTextModel, or the `text_config` of a whole CLIPModel. Throws weights::WeightError.
  static ClipTextConfig parse(const weights::Config& source);
};

/// CLIP's text model, read for its pooled output.
class ClipText {
 public:
  /// Takes both ways to name the tensors: with and without a leading "text_model.". The projection and the vision model
  /// of a whole CLIPModel are passed over. Throws weights::WeightError.
  ClipText(const nn::ParameterReader& reader, const ClipTextConfig& config);

  /// pooler_output of transformers: the final state at the end-of-text token. `ids` carries the padding that the
  /// tokenizer makes, because the rule looks at it: the first eos_token_id, or, where that is 2 (configs from before it
  /// was right), the first greatest id. -> (1, hidden). Throws weights::WeightError for an id outside the vocabulary.
  at::Tensor pooled(std::span<const std::int64_t> ids) const;

  const ClipTextConfig& config() const { return config_; }

 private:
  ClipText(const nn::ParameterReader& root, const nn::ParameterReader& model, const ClipTextConfig& config);

  ClipTextConfig config_;
  at::Tensor token_embedding_;
  at::Tensor position_embedding_;
  ClipLayers layers_;
  nn::LayerNorm final_norm_;
};

}  // namespace reelfarm::text_encoders

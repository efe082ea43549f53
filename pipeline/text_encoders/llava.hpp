#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "pipeline/text_encoders/clip_vision.hpp"
#include "pipeline/text_encoders/llama.hpp"

namespace reelfarm::weights {
class Config;
}

namespace reelfarm::text_encoders {

/// The fields of a LlavaForConditionalGeneration config.json; defaults are those of transformers' LlavaConfig.
struct LlavaConfig {
  LlamaConfig language;
  ClipVisionConfig vision;
  nn::Activation projector_activation;
  bool projector_bias;
  std::vector<std::int64_t> feature_layers;  // indices into the vision tower's hidden states, all >= 0
  bool keep_class_token;                     // vision_feature_select_strategy "full"
  std::int64_t image_token_id;
  std::int64_t pad_token_id;  // -1: none

  /// Throws weights::WeightError naming the field.
  static LlavaConfig parse(const weights::Config& source);

  /// Rows of the language model's input that one image fills.
  std::int64_t tokens_per_image() const { return vision.num_patches() + (keep_class_token ? 1 : 0); }
};

/// Whether a config.json is that of a LLaVA, not of a language model alone.
bool is_llava(const weights::Config& config);

/// A language model that sees: a CLIP vision tower, a projector of two linears, and a Llama. Source: arXiv 2310.03744.
class Llava {
 public:
  /// Takes the key schemes of all transformers versions. With `with_vision` off, tower and projector stay unread and
  /// encode_image throws. Throws weights::WeightError.
  Llava(const nn::ParameterReader& reader, const LlavaConfig& config, std::int64_t least_skip, bool with_vision = true);

  /// pixels: (1, 3, size, size), normalised -> (1, tokens_per_image, hidden) in the space of token embeddings.
  at::Tensor encode_image(const at::Tensor& pixels) const;

  /// Embeds `ids`; the rows whose id is image_token_id are replaced, in order, by the rows of `image` (from
  /// encode_image), of which there must be as many. -> (1, S, hidden). Throws std::invalid_argument naming both counts.
  at::Tensor embed(std::span<const std::int64_t> ids, const at::Tensor& image) const;

  const Llama& language() const { return language_; }
  const LlavaConfig& config() const { return config_; }

 private:
  struct Vision;

  LlavaConfig config_;
  Llama language_;
  std::shared_ptr<const Vision> vision_;  // null without vision
};

}  // namespace reelfarm::text_encoders

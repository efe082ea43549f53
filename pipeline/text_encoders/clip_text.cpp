#include "pipeline/text_encoders/clip_text.hpp"

#include <algorithm>
#include <string>

#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/text_encoders/detail/config_fields.hpp"
#include "pipeline/text_encoders/detail/key_scheme.hpp"

namespace reelfarm::text_encoders {
namespace {

constexpr std::int64_t kWrongEosOfOldConfigs = 2;

}  // namespace

ClipTextConfig ClipTextConfig::parse(const weights::Config& source) {
  if (const auto nested = detail::child(source, "text_config")) return parse(*nested);
  ClipTextConfig config;
  config.layers = ClipLayersConfig::parse(source, {512, 2048, 12, 8, nn::Activation::quick_gelu, 1e-5});
  config.vocab_size = detail::integer(source, "vocab_size", 49408);
  config.max_positions = detail::integer(source, "max_position_embeddings", 77);
  config.eos_token_id = detail::integer(source, "eos_token_id", 49407, 0);
  return config;
}

ClipText::ClipText(const nn::ParameterReader& reader, const ClipTextConfig& config)
    : ClipText(reader, detail::scope_that_has(reader, {"text_model", ""}, "final_layer_norm.weight"), config) {}

ClipText::ClipText(const nn::ParameterReader& root, const nn::ParameterReader& model, const ClipTextConfig& config)
    : config_(config),
      token_embedding_(
          model.scope("embeddings.token_embedding").tensor("weight", {config.vocab_size, config.layers.hidden_size})),
      position_embedding_(model.scope("embeddings.position_embedding")
                              .tensor("weight", {config.max_positions, config.layers.hidden_size})),
      layers_(model.scope("encoder"), config.layers, config.layers.num_layers),
      final_norm_(model.scope("final_layer_norm"), config.layers.hidden_size, config.layers.layer_norm_eps) {
  model.ignore("embeddings.position_ids");
  for (const char* name : {"text_projection.weight", "visual_projection.weight", "logit_scale"}) root.ignore(name);
  root.ignore_below("vision_model");
}

at::Tensor ClipText::pooled(std::span<const std::int64_t> ids) const {
  if (ids.empty() || std::cmp_greater(ids.size(), config_.max_positions)) {
    throw std::invalid_argument("CLIP takes 1 to " + std::to_string(config_.max_positions) + " tokens, got " +
                                std::to_string(ids.size()));
  }
  for (const std::int64_t id : ids) {
    if (id < 0 || id >= config_.vocab_size) {
      throw weights::WeightError("token id " + std::to_string(id) + " lies outside the CLIP vocabulary of " +
                                 std::to_string(config_.vocab_size) +
                                 "; do tokenizer_2 and text_encoder_2 belong together?");
    }
  }
  auto end = config_.eos_token_id == kWrongEosOfOldConfigs ? std::ranges::max_element(ids)
                                                           : std::ranges::find(ids, config_.eos_token_id);
  if (end == ids.end()) end = ids.begin();  // argmax over "no such token" is 0
  // Attention is causal: what follows the end-of-text token cannot change its state, so it is not computed.
  const std::int64_t length = end - ids.begin() + 1;
  const at::Tensor index =
      at::tensor(at::ArrayRef<std::int64_t>(ids.data(), static_cast<std::size_t>(length)), at::kLong)
          .to(token_embedding_.device());
  const at::Tensor x = at::embedding(token_embedding_, index) + position_embedding_.slice(0, 0, length);
  const at::Tensor last = layers_(x.unsqueeze(0), /*causal=*/true).back();
  return final_norm_(last.slice(1, length - 1)).squeeze(1);
}

}  // namespace reelfarm::text_encoders

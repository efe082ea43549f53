#include "pipeline/text_encoders/clip_vision.hpp"

#include <sstream>

#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/text_encoders/detail/config_fields.hpp"

namespace reelfarm::text_encoders {

ClipVisionConfig ClipVisionConfig::parse(const weights::Config& source) {
  if (const std::string type = source.text("model_type", "clip_vision_model"); type != "clip_vision_model") {
    source.fail("model_type", "expected \"clip_vision_model\", the one vision tower of this version");
  }
  ClipVisionConfig config;
  config.layers = ClipLayersConfig::parse(source, {768, 3072, 12, 12, nn::Activation::quick_gelu, 1e-5});
  config.num_channels = detail::integer(source, "num_channels", 3);
  config.image_size = detail::integer(source, "image_size", 224);
  config.patch_size = detail::integer(source, "patch_size", 32);
  if (config.num_channels != 3) source.fail("num_channels", "expected 3: images are RGB");
  if (config.patch_size > config.image_size) source.fail("patch_size", "expected at most image_size");
  return config;
}

ClipVision::ClipVision(const nn::ParameterReader& reader, const ClipVisionConfig& config, std::int64_t used_layers)
    : config_(config),
      class_embedding_(reader.tensor("embeddings.class_embedding", {config.layers.hidden_size})),
      patch_weight_(reader.tensor("embeddings.patch_embedding.weight", {config.layers.hidden_size, config.num_channels,
                                                                        config.patch_size, config.patch_size})),
      position_embedding_(
          reader.tensor("embeddings.position_embedding.weight", {config.num_patches() + 1, config.layers.hidden_size})),
      // The name is misspelt in every published checkpoint.
      pre_norm_(reader.scope("pre_layrnorm"), config.layers.hidden_size, config.layers.layer_norm_eps),
      layers_(reader.scope("encoder"), config.layers, used_layers) {
  reader.ignore("embeddings.position_ids");
  reader.ignore_below("post_layernorm");
}

std::vector<at::Tensor> ClipVision::hidden_states(const at::Tensor& pixels) const {
  if (pixels.dim() != 4 || pixels.size(1) != config_.num_channels || pixels.size(2) != config_.image_size ||
      pixels.size(3) != config_.image_size) {
    std::ostringstream found;
    found << pixels.sizes();
    throw std::invalid_argument("the vision tower takes images of " + std::to_string(config_.image_size) + "x" +
                                std::to_string(config_.image_size) + " pixels, got a tensor of " + found.str() +
                                "; does image_processor's crop_size fit the vision_config?");
  }
  const at::Tensor patches = at::conv2d(pixels, patch_weight_, {}, config_.patch_size).flatten(2).transpose(1, 2);
  const at::Tensor class_token = class_embedding_.expand({pixels.size(0), 1, config_.layers.hidden_size});
  return layers_(pre_norm_(at::cat({class_token, patches}, 1) + position_embedding_), /*causal=*/false);
}

}  // namespace reelfarm::text_encoders

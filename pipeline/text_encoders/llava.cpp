#include "pipeline/text_encoders/llava.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "pipeline/nn/linear.hpp"
#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/text_encoders/detail/config_fields.hpp"
#include "pipeline/text_encoders/detail/key_scheme.hpp"

namespace reelfarm::text_encoders {
namespace {

nn::ParameterReader language_scope(const nn::ParameterReader& reader) {
  return detail::scope_that_has(reader, {"language_model.model", "model.language_model", "language_model"},
                                "embed_tokens.weight");
}

nn::ParameterReader vision_scope(const nn::ParameterReader& reader) {
  return detail::scope_that_has(
      reader, {"vision_tower", "vision_tower.vision_model", "model.vision_tower", "model.vision_tower.vision_model"},
      "pre_layrnorm.weight");
}

nn::ParameterReader projector_scope(const nn::ParameterReader& reader) {
  return detail::scope_that_has(reader, {"multi_modal_projector", "model.multi_modal_projector"}, "linear_1.weight");
}

}  // namespace

bool is_llava(const weights::Config& config) {
  return config.text("model_type", "llama") == "llava";
}

LlavaConfig LlavaConfig::parse(const weights::Config& source) {
  // What transformers takes for the vision tower of a config that names none: CLIP-L at 336 pixels.
  static const nlohmann::json kDefaultVision = {{"intermediate_size", 4096}, {"hidden_size", 1024},
                                                {"patch_size", 14},          {"image_size", 336},
                                                {"num_hidden_layers", 24},   {"num_attention_heads", 16}};
  LlavaConfig config;
  config.language =
      LlamaConfig::parse(detail::child(source, "text_config")
                             .value_or(weights::Config(source.file(), nlohmann::json::object(), "text_config.")));
  config.vision =
      ClipVisionConfig::parse(detail::child(source, "vision_config")
                                  .value_or(weights::Config(source.file(), kDefaultVision, "vision_config.")));
  config.projector_activation = detail::activation(source, "projector_hidden_act", "gelu");
  config.projector_bias = source.flag("multimodal_projector_bias", true);
  config.image_token_id =
      detail::integer(source, "image_token_index", detail::integer(source, "image_token_id", 32000, 0), 0);
  config.pad_token_id = detail::integer(source, "pad_token_id", -1, -1);
  const std::string strategy = source.text("vision_feature_select_strategy", "default");
  if (strategy != "default" && strategy != "full") {
    source.fail("vision_feature_select_strategy", "expected \"default\" or \"full\"");
  }
  config.keep_class_token = strategy == "full";
  const std::int64_t num_states = config.vision.layers.num_layers + 1;
  const std::vector<std::int64_t> feature_layers =
      source.has("vision_feature_layer") && !detail::holds_integer(source, "vision_feature_layer")
          ? source.integers("vision_feature_layer")
          : std::vector<std::int64_t>{source.integer("vision_feature_layer", -2)};
  if (feature_layers.empty()) source.fail("vision_feature_layer", "expected at least one layer");
  for (const std::int64_t layer : feature_layers) {
    const std::int64_t index = layer < 0 ? num_states + layer : layer;
    if (index < 0 || index >= num_states) {
      source.fail("vision_feature_layer", std::to_string(layer) + " lies outside the vision tower's " +
                                              std::to_string(num_states) + " hidden states");
    }
    config.feature_layers.push_back(index);
  }
  return config;
}

struct Llava::Vision {
  Vision(const nn::ParameterReader& reader, const LlavaConfig& config)
      : tower(vision_scope(reader), config.vision, std::ranges::max(config.feature_layers)),
        linear_1(projector_scope(reader).scope("linear_1"),
                 config.vision.layers.hidden_size * static_cast<std::int64_t>(config.feature_layers.size()),
                 config.language.hidden_size, config.projector_bias),
        linear_2(projector_scope(reader).scope("linear_2"), config.language.hidden_size, config.language.hidden_size,
                 config.projector_bias) {}

  ClipVision tower;
  nn::Linear linear_1;
  nn::Linear linear_2;
};

Llava::Llava(const nn::ParameterReader& reader, const LlavaConfig& config, std::int64_t least_skip, bool with_vision)
    : config_(config), language_(language_scope(reader), config.language, least_skip) {
  reader.ignore("language_model.lm_head.weight");
  reader.ignore("lm_head.weight");
  if (with_vision) {
    vision_ = std::make_shared<Vision>(reader, config);
  } else {
    for (const char* part :
         {"vision_tower", "model.vision_tower", "multi_modal_projector", "model.multi_modal_projector"})
      reader.ignore_below(part);
  }
}

at::Tensor Llava::encode_image(const at::Tensor& pixels) const {
  if (!vision_) throw std::invalid_argument("this language model was loaded without its vision tower");
  const std::vector<at::Tensor> states = vision_->tower.hidden_states(pixels);
  std::vector<at::Tensor> features;
  for (const std::int64_t layer : config_.feature_layers) {
    const at::Tensor& state = states[static_cast<std::size_t>(layer)];
    features.push_back(config_.keep_class_token ? state : state.slice(1, 1));
  }
  return vision_->linear_2(nn::activate(config_.projector_activation, vision_->linear_1(at::cat(features, -1))));
}

at::Tensor Llava::embed(std::span<const std::int64_t> ids, const at::Tensor& image) const {
  std::vector<std::int64_t> rows;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] == config_.image_token_id) rows.push_back(static_cast<std::int64_t>(i));
  }
  if (std::cmp_not_equal(rows.size(), image.size(1))) {
    throw std::invalid_argument("the text has " + std::to_string(rows.size()) + " image tokens and the image gave " +
                                std::to_string(image.size(1)) +
                                " rows; do the template's image settings fit the tower?");
  }
  const at::Tensor embedded = language_.embed(ids);
  const at::Tensor index = at::tensor(rows, at::kLong).to(embedded.device());
  return embedded.index_copy(1, index, image.to(embedded.scalar_type()));
}

}  // namespace reelfarm::text_encoders

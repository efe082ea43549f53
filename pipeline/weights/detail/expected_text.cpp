#include <algorithm>

#include "pipeline/weights/detail/expected_tensors.hpp"

namespace reelfarm::weights::detail {
namespace {

constexpr int kMaxLayers = 1000;
constexpr int kMaxWidth = 1 << 24;

/// What stands before `suffix` in the one name that ends with it; empty when no name does, so that the name is then
/// reported as missing in its plain form.
std::string prefix_of(const std::vector<std::string>& names, std::string_view suffix) {
  for (const std::string& name : names)
    if (name.ends_with(suffix)) return name.substr(0, name.size() - suffix.size());
  return {};
}

/// Fallbacks are those of transformers' LlamaConfig: files leave out what equals them.
void llama(ExpectedTensors& expected, const Config& config, const std::string& prefix) {
  const int hidden = config.integer_between("hidden_size", 4096, 1, kMaxWidth);
  const int mlp = config.integer_between("intermediate_size", 11008, 1, kMaxWidth);
  const int heads = config.integer_between("num_attention_heads", 32, 1, kMaxWidth);
  const int key_heads = config.integer_between("num_key_value_heads", heads, 1, kMaxWidth);
  const int head = config.integer_between("head_dim", hidden / heads, 1, kMaxWidth);
  const bool attention_bias = config.flag("attention_bias", false), mlp_bias = config.flag("mlp_bias", false);
  const std::int64_t queries = std::int64_t{heads} * head, keys = std::int64_t{key_heads} * head;
  expected.tensor(prefix + "embed_tokens.weight", {config.integer_between("vocab_size", 32000, 1, kMaxWidth), hidden});
  expected.tensor(prefix + "norm.weight", {hidden});
  const int layers = config.integer_between("num_hidden_layers", 32, 1, kMaxLayers);
  for (int i = 0; i < layers; ++i) {
    const std::string layer = prefix + "layers." + std::to_string(i) + ".";
    expected.linear(layer + "self_attn.q_proj", hidden, queries, attention_bias);
    expected.linear(layer + "self_attn.k_proj", hidden, keys, attention_bias);
    expected.linear(layer + "self_attn.v_proj", hidden, keys, attention_bias);
    expected.linear(layer + "self_attn.o_proj", queries, hidden, attention_bias);
    expected.linear(layer + "mlp.gate_proj", hidden, mlp, mlp_bias);
    expected.linear(layer + "mlp.up_proj", hidden, mlp, mlp_bias);
    expected.linear(layer + "mlp.down_proj", mlp, hidden, mlp_bias);
    expected.tensor(layer + "input_layernorm.weight", {hidden});
    expected.tensor(layer + "post_attention_layernorm.weight", {hidden});
  }
}

void clip_layers(ExpectedTensors& expected, const std::string& prefix, int layers, int hidden, int mlp) {
  for (int i = 0; i < layers; ++i) {
    const std::string layer = prefix + "encoder.layers." + std::to_string(i) + ".";
    for (const char* part : {"q_proj", "k_proj", "v_proj", "out_proj"})
      expected.linear(layer + "self_attn." + part, hidden, hidden);
    expected.norm(layer + "layer_norm1", hidden);
    expected.norm(layer + "layer_norm2", hidden);
    expected.linear(layer + "mlp.fc1", hidden, mlp);
    expected.linear(layer + "mlp.fc2", mlp, hidden);
  }
}

void clip_text(ExpectedTensors& expected, const Config& config, const std::string& prefix) {
  const int hidden = config.integer_between("hidden_size", 512, 1, kMaxWidth);
  expected.tensor(prefix + "embeddings.token_embedding.weight",
                  {config.integer_between("vocab_size", 49408, 1, kMaxWidth), hidden});
  expected.tensor(prefix + "embeddings.position_embedding.weight",
                  {config.integer_between("max_position_embeddings", 77, 1, kMaxWidth), hidden});
  clip_layers(expected, prefix, config.integer_between("num_hidden_layers", 12, 1, kMaxLayers), hidden,
              config.integer_between("intermediate_size", 2048, 1, kMaxWidth));
  expected.norm(prefix + "final_layer_norm", hidden);
}

void clip_vision(ExpectedTensors& expected, const Config& config, const std::string& prefix) {
  const int hidden = config.integer_between("hidden_size", 768, 1, kMaxWidth);
  const int patch = config.integer_between("patch_size", 32, 1, kMaxWidth);
  const std::int64_t side = config.integer_between("image_size", 224, 1, kMaxWidth) / patch;
  expected.tensor(prefix + "embeddings.class_embedding", {hidden});
  expected.tensor(prefix + "embeddings.patch_embedding.weight",
                  {hidden, config.integer_between("num_channels", 3, 1, 64), patch, patch});
  expected.tensor(prefix + "embeddings.position_embedding.weight", {side * side + 1, hidden});
  // The name's spelling is that of the published weights.
  expected.norm(prefix + "pre_layrnorm", hidden);
  clip_layers(expected, prefix, config.integer_between("num_hidden_layers", 12, 1, kMaxLayers), hidden,
              config.integer_between("intermediate_size", 3072, 1, kMaxWidth));
}

}  // namespace

ExpectedTensors expected_text_encoder(const std::string& class_name, const Config& config,
                                      const std::vector<std::string>& names) {
  ExpectedTensors expected;
  if (class_name == "CLIPTextModel") {
    clip_text(expected, config, prefix_of(names, "embeddings.token_embedding.weight"));
    return expected;
  }
  if (class_name == "LlamaModel") {
    llama(expected, config, prefix_of(names, "embed_tokens.weight"));
    return expected;
  }
  const Config text = config.object("text_config"), vision = config.object("vision_config");
  llama(expected, text, prefix_of(names, "embed_tokens.weight"));
  clip_vision(expected, vision, prefix_of(names, "embeddings.class_embedding"));
  const std::string projector = prefix_of(names, "multi_modal_projector.linear_1.weight") + "multi_modal_projector.";
  const int hidden = text.integer_between("hidden_size", 4096, 1, kMaxWidth);
  const bool bias = config.flag("multimodal_projector_bias", true);
  expected.linear(projector + "linear_1", vision.integer_between("hidden_size", 768, 1, kMaxWidth), hidden, bias);
  expected.linear(projector + "linear_2", hidden, hidden, bias);
  return expected;
}

}  // namespace reelfarm::weights::detail

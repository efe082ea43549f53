#include "pipeline/text_encoders/clip_layers.hpp"

#include <array>
#include <string>

#include "pipeline/nn/attention.hpp"
#include "pipeline/nn/linear.hpp"
#include "pipeline/nn/norm.hpp"
#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/text_encoders/detail/config_fields.hpp"

namespace reelfarm::text_encoders {

ClipLayersConfig ClipLayersConfig::parse(const weights::Config& source, const ClipLayersConfig& defaults) {
  ClipLayersConfig config;
  config.hidden_size = detail::integer(source, "hidden_size", defaults.hidden_size);
  config.intermediate_size = detail::integer(source, "intermediate_size", defaults.intermediate_size);
  config.num_layers = detail::integer(source, "num_hidden_layers", defaults.num_layers);
  config.num_heads = detail::integer(source, "num_attention_heads", defaults.num_heads);
  config.activation = detail::activation(source, "hidden_act", "quick_gelu");
  config.layer_norm_eps = detail::positive(source, "layer_norm_eps", 1e-5);
  if (config.hidden_size % config.num_heads != 0) {
    source.fail("num_attention_heads", "expected a divisor of hidden_size = " + std::to_string(config.hidden_size));
  }
  return config;
}

class ClipLayer {
 public:
  ClipLayer(const nn::ParameterReader& reader, const ClipLayersConfig& config)
      : num_heads_(config.num_heads),
        activation_(config.activation),
        norm1_(reader.scope("layer_norm1"), config.hidden_size, config.layer_norm_eps),
        q_(reader.scope("self_attn.q_proj"), config.hidden_size, config.hidden_size),
        k_(reader.scope("self_attn.k_proj"), config.hidden_size, config.hidden_size),
        v_(reader.scope("self_attn.v_proj"), config.hidden_size, config.hidden_size),
        out_(reader.scope("self_attn.out_proj"), config.hidden_size, config.hidden_size),
        norm2_(reader.scope("layer_norm2"), config.hidden_size, config.layer_norm_eps),
        fc1_(reader.scope("mlp.fc1"), config.hidden_size, config.intermediate_size),
        fc2_(reader.scope("mlp.fc2"), config.intermediate_size, config.hidden_size) {}

  at::Tensor operator()(const at::Tensor& x, bool causal) const {
    const at::Tensor attended = x + attention(norm1_(x), causal);
    return attended + fc2_(nn::activate(activation_, fc1_(norm2_(attended))));
  }

 private:
  at::Tensor attention(const at::Tensor& x, bool causal) const {
    const std::array<std::int64_t, 4> heads{x.size(0), x.size(1), num_heads_, x.size(2) / num_heads_};
    const at::Tensor q = q_(x).view(heads);
    const at::Tensor k = k_(x).view(heads);
    const at::Tensor v = v_(x).view(heads);
    return out_((causal ? nn::causal_attention(q, k, v) : nn::attention(q, k, v)).reshape(x.sizes()));
  }

  std::int64_t num_heads_;
  nn::Activation activation_;
  nn::LayerNorm norm1_;
  nn::Linear q_, k_, v_, out_;
  nn::LayerNorm norm2_;
  nn::Linear fc1_, fc2_;
};

ClipLayers::ClipLayers(const nn::ParameterReader& reader, const ClipLayersConfig& config, std::int64_t used_layers) {
  layers_.reserve(static_cast<std::size_t>(used_layers));
  for (std::int64_t layer = 0; layer < config.num_layers; ++layer) {
    const std::string name = "layers." + std::to_string(layer);
    if (layer < used_layers) {
      layers_.emplace_back(reader.scope(name), config);
    } else {
      reader.ignore_below(name);
    }
  }
}

ClipLayers::~ClipLayers() = default;
ClipLayers::ClipLayers(ClipLayers&&) noexcept = default;

std::vector<at::Tensor> ClipLayers::operator()(const at::Tensor& x, bool causal) const {
  std::vector<at::Tensor> states{x};
  for (const ClipLayer& layer : layers_) states.push_back(layer(states.back(), causal));
  return states;
}

}  // namespace reelfarm::text_encoders

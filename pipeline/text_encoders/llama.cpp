#include "pipeline/text_encoders/llama.hpp"

#include <string>

#include "pipeline/nn/attention.hpp"
#include "pipeline/nn/layer_store.hpp"
#include "pipeline/nn/linear.hpp"
#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/text_encoders/detail/config_fields.hpp"

namespace reelfarm::text_encoders {
namespace {

// (B, S, kv_heads, d) -> (B, S, kv_heads * groups, d); consecutive query heads share a key-value head.
at::Tensor repeat_heads(const at::Tensor& x, std::int64_t groups) {
  if (groups == 1) return x;
  return x.unsqueeze(3)
      .expand({x.size(0), x.size(1), x.size(2), groups, x.size(3)})
      .reshape({x.size(0), x.size(1), x.size(2) * groups, x.size(3)});
}

}  // namespace

LlamaConfig LlamaConfig::parse(const weights::Config& source) {
  LlamaConfig config;
  if (const std::string type = source.text("model_type", "llama"); type != "llama") {
    source.fail("model_type", "expected \"llama\", the one language model of this version");
  }
  config.vocab_size = detail::integer(source, "vocab_size", 32000);
  config.hidden_size = detail::integer(source, "hidden_size", 4096);
  config.intermediate_size = detail::integer(source, "intermediate_size", 11008);
  config.num_layers = detail::integer(source, "num_hidden_layers", 32);
  config.num_heads = detail::integer(source, "num_attention_heads", 32);
  config.num_kv_heads = detail::integer(source, "num_key_value_heads", config.num_heads);
  config.head_dim = detail::integer(source, "head_dim", config.hidden_size / config.num_heads);
  config.activation = detail::activation(source, "hidden_act", "silu");
  config.rms_norm_eps = detail::positive(source, "rms_norm_eps", 1e-6);
  config.attention_bias = source.flag("attention_bias", false);
  config.mlp_bias = source.flag("mlp_bias", false);
  config.rope = RopeConfig::parse(source, detail::integer(source, "max_position_embeddings", 2048));
  if (config.num_heads % config.num_kv_heads != 0) {
    source.fail("num_key_value_heads",
                "expected a divisor of num_attention_heads = " + std::to_string(config.num_heads));
  }
  if (config.head_dim % 2 != 0 || config.head_dim < 4) {
    source.fail("head_dim", "expected an even number from 4: rotary positions turn pairs");
  }
  return config;
}

class LlamaLayer {
 public:
  LlamaLayer(const nn::ParameterReader& reader, const LlamaConfig& config)
      : num_kv_heads_(config.num_kv_heads),
        groups_(config.num_heads / config.num_kv_heads),
        head_dim_(config.head_dim),
        activation_(config.activation),
        input_norm_(reader.scope("input_layernorm"), config.hidden_size, config.rms_norm_eps),
        q_(reader.scope("self_attn.q_proj"), config.hidden_size, config.num_heads * config.head_dim,
           config.attention_bias),
        k_(reader.scope("self_attn.k_proj"), config.hidden_size, config.num_kv_heads * config.head_dim,
           config.attention_bias),
        v_(reader.scope("self_attn.v_proj"), config.hidden_size, config.num_kv_heads * config.head_dim,
           config.attention_bias),
        out_(reader.scope("self_attn.o_proj"), config.num_heads * config.head_dim, config.hidden_size,
             config.attention_bias),
        mlp_norm_(reader.scope("post_attention_layernorm"), config.hidden_size, config.rms_norm_eps),
        gate_(reader.scope("mlp.gate_proj"), config.hidden_size, config.intermediate_size, config.mlp_bias),
        up_(reader.scope("mlp.up_proj"), config.hidden_size, config.intermediate_size, config.mlp_bias),
        down_(reader.scope("mlp.down_proj"), config.intermediate_size, config.hidden_size, config.mlp_bias) {}

  std::vector<at::Tensor*> parameters() {
    std::vector<at::Tensor*> all;
    const auto add = [&all](auto& part) {
      for (at::Tensor* parameter : part.parameters()) all.push_back(parameter);
    };
    for (nn::RmsNorm* norm : {&input_norm_, &mlp_norm_}) add(*norm);
    for (nn::Linear* linear : {&q_, &k_, &v_, &out_, &gate_, &up_, &down_}) add(*linear);
    return all;
  }

  at::Tensor operator()(const at::Tensor& x, const std::pair<at::Tensor, at::Tensor>& rope) const {
    const at::Tensor attended = x + attention(input_norm_(x), rope);
    const at::Tensor normed = mlp_norm_(attended);
    return attended + down_(nn::activate(activation_, gate_(normed)) * up_(normed));
  }

 private:
  at::Tensor attention(const at::Tensor& x, const std::pair<at::Tensor, at::Tensor>& rope) const {
    const std::int64_t batch = x.size(0);
    const std::int64_t length = x.size(1);
    const at::Tensor q = rotate(q_(x).view({batch, length, num_kv_heads_ * groups_, head_dim_}), rope);
    const at::Tensor k = rotate(k_(x).view({batch, length, num_kv_heads_, head_dim_}), rope);
    const at::Tensor v = v_(x).view({batch, length, num_kv_heads_, head_dim_});
    const at::Tensor out = nn::causal_attention(q, repeat_heads(k, groups_), repeat_heads(v, groups_));
    return out_(out.reshape({batch, length, num_kv_heads_ * groups_ * head_dim_}));
  }

  std::int64_t num_kv_heads_;
  std::int64_t groups_;
  std::int64_t head_dim_;
  nn::Activation activation_;
  nn::RmsNorm input_norm_;
  nn::Linear q_, k_, v_, out_;
  nn::RmsNorm mlp_norm_;
  nn::Linear gate_, up_, down_;
};

Llama::Llama(const nn::ParameterReader& reader, const LlamaConfig& config, std::int64_t least_skip)
    : config_(config), least_skip_(least_skip), device_(reader.placement().device) {
  if (least_skip < 0 || least_skip > config.num_layers) {
    throw weights::WeightError("a Llama of " + std::to_string(config.num_layers) + " layers has no hidden state " +
                               std::to_string(least_skip) + " layers before its last");
  }
  const nn::Placement& placement = reader.placement();
  const std::int64_t used = config.num_layers - least_skip;
  // Some rows of the table are looked up a prompt: where layers are not worth their room, neither is it.
  const nn::Placement table{placement.resident_layers < used ? c10::Device(c10::kCPU) : placement.device,
                            placement.dtype};
  embedding_ =
      reader.with_placement(table).scope("embed_tokens").tensor("weight", {config.vocab_size, config.hidden_size});
  const auto name = [](std::int64_t layer) { return "layers." + std::to_string(layer); };
  layers_ = std::make_unique<const nn::LayerStore<LlamaLayer>>(
      used, placement.resident_layers, placement.device,
      [&](std::int64_t layer) { return LlamaLayer(reader.scope(name(layer)), config); });
  for (std::int64_t layer = used; layer < config.num_layers; ++layer) reader.ignore_below(name(layer));
  if (least_skip == 0) {
    norm_.emplace_back(reader.scope("norm"), config.hidden_size, config.rms_norm_eps);
  } else {
    reader.ignore("norm.weight");
  }
}

Llama::~Llama() = default;
Llama::Llama(Llama&&) noexcept = default;

at::Tensor Llama::embed(std::span<const std::int64_t> ids) const {
  for (const std::int64_t id : ids) {
    if (id < 0 || id >= config_.vocab_size) {
      throw weights::WeightError(
          "token id " + std::to_string(id) + " lies outside the language model's vocabulary of " +
          std::to_string(config_.vocab_size) + "; do tokenizer and text_encoder belong together?");
    }
  }
  const at::Tensor index =
      at::tensor(at::ArrayRef<std::int64_t>(ids.data(), ids.size()), at::kLong).to(embedding_.device());
  return at::embedding(embedding_, index).unsqueeze(0).to(device_);
}

at::Tensor Llama::hidden_states(const at::Tensor& embeddings, std::int64_t skip, std::int64_t padded_length) const {
  if (skip < least_skip_ || skip > config_.num_layers) {
    throw std::invalid_argument("hidden state " + std::to_string(skip) + " before the last was asked for, loaded are " +
                                std::to_string(least_skip_) + " to " + std::to_string(config_.num_layers));
  }
  const std::int64_t length = embeddings.size(1);
  const auto rope =
      rope_table(config_.rope, config_.head_dim, length, std::max(length, padded_length), embeddings.options());
  at::Tensor x = embeddings;
  layers_->run(config_.num_layers - skip, [&](const LlamaLayer& layer, std::int64_t) { x = layer(x, rope); });
  return skip == 0 ? norm_.front()(x) : x;
}

}  // namespace reelfarm::text_encoders

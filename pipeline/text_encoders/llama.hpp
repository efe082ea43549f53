#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "pipeline/nn/activation.hpp"
#include "pipeline/nn/norm.hpp"
#include "pipeline/text_encoders/rope.hpp"

namespace reelfarm::nn {
class ParameterReader;
template <typename Layer>
class LayerStore;
}  // namespace reelfarm::nn

namespace reelfarm::weights {
class Config;
}

namespace reelfarm::text_encoders {

/// The fields of a Llama config.json that decide the computation; defaults are those of transformers' LlamaConfig.
struct LlamaConfig {
  std::int64_t vocab_size;
  std::int64_t hidden_size;
  std::int64_t intermediate_size;
  std::int64_t num_layers;
  std::int64_t num_heads;
  std::int64_t num_kv_heads;
  std::int64_t head_dim;
  nn::Activation activation;
  double rms_norm_eps;
  bool attention_bias;
  bool mlp_bias;
  RopeConfig rope;

  /// Throws weights::WeightError naming the field.
  static LlamaConfig parse(const weights::Config& source);
};

class LlamaLayer;

/// The decoder of a Llama language model, read for its hidden states. Source: arXiv 2302.13971, 2307.09288, 2407.21783.
class Llama {
 public:
  /// `reader` stands at embed_tokens, layers and norm. Layers that hidden_states(x, skip) with skip >= `least_skip`
  /// never runs are not loaded. Throws weights::WeightError.
  Llama(const nn::ParameterReader& reader, const LlamaConfig& config, std::int64_t least_skip);
  ~Llama();
  Llama(Llama&&) noexcept;

  /// Token ids -> (1, S, hidden). Throws weights::WeightError for an id outside the vocabulary.
  at::Tensor embed(std::span<const std::int64_t> ids) const;

  /// hidden_states[-(skip + 1)] of transformers: the output after all but `skip` layers; the final norm is applied only
  /// when skip is 0. embeddings: (1, S, hidden), all rows valid: padding on the right is left out, which changes no row
  /// before it. `padded_length` is the length with padding, which dynamic rope scaling looks at; 0 means S.
  at::Tensor hidden_states(const at::Tensor& embeddings, std::int64_t skip, std::int64_t padded_length = 0) const;

  const LlamaConfig& config() const { return config_; }

 private:
  LlamaConfig config_;
  std::int64_t least_skip_;
  c10::Device device_;
  at::Tensor embedding_;  // (vocabulary, hidden), on the CPU where layers are streamed
  std::unique_ptr<const nn::LayerStore<LlamaLayer>> layers_;
  std::vector<nn::RmsNorm> norm_;  // one, or none when no caller needs it
};

}  // namespace reelfarm::text_encoders

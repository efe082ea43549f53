#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "pipeline/nn/activation.hpp"

namespace reelfarm::nn {
class ParameterReader;
}

namespace reelfarm::weights {
class Config;
}

namespace reelfarm::text_encoders {

/// What CLIP's two transformers have in common. Source: arXiv 2103.00020.
struct ClipLayersConfig {
  std::int64_t hidden_size;
  std::int64_t intermediate_size;
  std::int64_t num_layers;
  std::int64_t num_heads;
  nn::Activation activation;
  double layer_norm_eps;

  /// Throws weights::WeightError naming the field. The defaults are those of transformers: CLIPTextConfig has (512,
  /// 2048, 12, 8), CLIPVisionConfig (768, 3072, 12, 12).
  static ClipLayersConfig parse(const weights::Config& source, const ClipLayersConfig& defaults);
};

class ClipLayer;

/// The stack of pre-norm transformer layers of CLIP's text and vision models.
class ClipLayers {
 public:
  /// Loads the first `used_layers` of `config.num_layers` below "layers" and passes over the rest.
  ClipLayers(const nn::ParameterReader& reader, const ClipLayersConfig& config, std::int64_t used_layers);
  ~ClipLayers();
  ClipLayers(ClipLayers&&) noexcept;

  /// The output of every layer, with the input before them: element i is hidden_states[i] of transformers.
  /// x: (B, S, hidden); causal for text.
  std::vector<at::Tensor> operator()(const at::Tensor& x, bool causal) const;

 private:
  std::vector<ClipLayer> layers_;
};

}  // namespace reelfarm::text_encoders

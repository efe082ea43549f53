#pragma once

#include <optional>
#include <span>

#include <ATen/core/Tensor.h>

#include "pipeline/dit/config.hpp"
#include "pipeline/nn/linear.hpp"

namespace reelfarm::dit {

/// linear_1, SiLU, linear_2: how a vector (sinusoid or text) becomes a condition. (B, in) -> (B, out).
class ConditionMlp {
 public:
  ConditionMlp(const nn::ParameterReader& reader, std::int64_t in_features, std::int64_t out_features);
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  nn::Linear first_;
  nn::Linear second_;
};

/// Time as a 256-wide sinusoid through an MLP. t: (B) fp32, 0..1000 -> (B, features).
class TimeEmbedder {
 public:
  TimeEmbedder(const nn::ParameterReader& reader, std::int64_t features);
  at::Tensor operator()(const at::Tensor& t) const;

 private:
  ConditionMlp mlp_;
  at::ScalarType dtype_;
};

/// The vectors that all modulation is computed from.
struct ConditionVectors {
  at::Tensor steps;        // (steps, width): time + pooled text (+ guidance)
  at::Tensor first_frame;  // (1, width): time 0 + pooled text, of token_replace; undefined otherwise
};

/// time_text_embed: one vector per step from time, pooled text and guidance.
class ConditionEmbedder {
 public:
  ConditionEmbedder(const nn::ParameterReader& reader, const DitConfig& config);

  /// pooled: (pooled_dim). guidance is the embedded scale (6 in the published pipelines), required exactly where the
  /// config has guidance.
  ConditionVectors operator()(std::span<const float> timesteps, const at::Tensor& pooled,
                              std::optional<float> guidance) const;

 private:
  TimeEmbedder time_;
  ConditionMlp pooled_;
  std::optional<TimeEmbedder> guidance_;
  bool token_replace_;
  at::TensorOptions options_;  // device and dtype of the parameters
};

}  // namespace reelfarm::dit

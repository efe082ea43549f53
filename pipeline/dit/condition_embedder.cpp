#include "pipeline/dit/condition_embedder.hpp"

#include <vector>

#include "pipeline/nn/embedding.hpp"
#include "pipeline/nn/parameter_reader.hpp"

namespace reelfarm::dit {
namespace {

constexpr std::int64_t kTimeChannels = 256;
// Guidance scales are embedded like times, on the same range.
constexpr double kGuidanceFactor = 1000.0;

at::Tensor time_tensor(std::span<const float> values, c10::Device device) {
  return at::tensor(at::ArrayRef<float>(values.data(), values.size()), at::TensorOptions().dtype(at::kFloat))
      .to(device);
}

}  // namespace

ConditionMlp::ConditionMlp(const nn::ParameterReader& reader, std::int64_t in_features, std::int64_t out_features)
    : first_(reader.scope("linear_1"), in_features, out_features),
      second_(reader.scope("linear_2"), out_features, out_features) {}

at::Tensor ConditionMlp::operator()(const at::Tensor& x) const {
  return second_(at::silu(first_(x)));
}

TimeEmbedder::TimeEmbedder(const nn::ParameterReader& reader, std::int64_t features)
    : mlp_(reader, kTimeChannels, features), dtype_(reader.placement().dtype) {}

at::Tensor TimeEmbedder::operator()(const at::Tensor& t) const {
  return mlp_(nn::timestep_embedding(t, kTimeChannels).to(dtype_));
}

ConditionEmbedder::ConditionEmbedder(const nn::ParameterReader& reader, const DitConfig& config)
    : time_(reader.scope("timestep_embedder"), config.width()),
      pooled_(reader.scope("text_embedder"), config.pooled_dim, config.width()),
      token_replace_(config.condition == ImageCondition::token_replace),
      options_(at::TensorOptions().device(reader.placement().device).dtype(reader.placement().dtype)) {
  if (config.guidance) guidance_.emplace(reader.scope("guidance_embedder"), config.width());
}

ConditionVectors ConditionEmbedder::operator()(std::span<const float> timesteps, const at::Tensor& pooled,
                                               std::optional<float> guidance) const {
  const at::Tensor text = pooled_(pooled.to(options_).unsqueeze(0));
  ConditionVectors vectors;
  vectors.steps = time_(time_tensor(timesteps, options_.device())) + text;
  if (guidance_.has_value()) {
    // Rounded to the model's type before and after the factor, as the published pipelines do: 6 becomes 6016 in bf16,
    // which is what such models were trained and distilled with.
    const at::Tensor scale = at::full({1}, guidance.value(), options_) * kGuidanceFactor;
    vectors.steps = vectors.steps + (*guidance_)(scale.to(at::kFloat));
  }
  if (token_replace_) vectors.first_frame = time_(at::zeros({1}, options_.dtype(at::kFloat))) + text;
  return vectors;
}

}  // namespace reelfarm::dit

#include "pipeline/text_encoders/rope.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "pipeline/text_encoders/detail/config_fields.hpp"

namespace reelfarm::text_encoders {
namespace {

at::Tensor inverse_frequencies(const RopeConfig& config, std::int64_t head_dim, std::int64_t scaled_length) {
  double theta = config.theta;
  if (config.scaling == RopeConfig::Scaling::dynamic) {
    const auto limit = static_cast<double>(config.max_positions);
    const double length = std::max(static_cast<double>(scaled_length), limit);
    const auto dim = static_cast<double>(head_dim);
    theta *= std::pow(config.factor * length / limit - (config.factor - 1.0), dim / (dim - 2.0));
  }
  const at::Tensor exponents = at::arange(0, head_dim, 2, at::kFloat) / static_cast<double>(head_dim);
  at::Tensor frequencies = at::reciprocal(at::pow(theta, exponents));
  if (config.scaling == RopeConfig::Scaling::linear) return frequencies / config.factor;
  if (config.scaling != RopeConfig::Scaling::llama3) return frequencies;

  // Long waves are slowed by the factor, short ones stay, those between are mixed.
  const auto original = static_cast<double>(config.max_positions);
  const at::Tensor waves_in_original = frequencies * (original / (2.0 * std::numbers::pi));
  const at::Tensor mix = at::clamp(
      (waves_in_original - config.low_freq_factor) / (config.high_freq_factor - config.low_freq_factor), 0.0, 1.0);
  return frequencies * mix + frequencies / config.factor * (1.0 - mix);
}

}  // namespace

RopeConfig RopeConfig::parse(const weights::Config& source, std::int64_t max_position_embeddings) {
  RopeConfig config;
  config.theta = detail::positive(source, "rope_theta", config.theta);
  config.max_positions = max_position_embeddings;
  const char* const key = source.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  const auto rope = detail::child(source, key);
  if (!rope) return config;
  config.theta = detail::positive(*rope, "rope_theta", config.theta);
  const std::string type = rope->text("rope_type", rope->text("type", "default"));
  if (type == "default") return config;
  if (detail::positive(*rope, "partial_rotary_factor", 1.0) != 1.0) {
    rope->fail("partial_rotary_factor", "expected 1: Llama turns all of a head");
  }
  if (!rope->has("factor")) rope->fail("factor", "is missing; rope type '" + type + "' needs it");
  config.factor = detail::positive(*rope, "factor", 1.0);
  if (type == "linear") {
    config.scaling = Scaling::linear;
  } else if (type == "dynamic") {
    config.scaling = Scaling::dynamic;
  } else if (type == "llama3") {
    config.scaling = Scaling::llama3;
    for (const char* needed : {"low_freq_factor", "high_freq_factor"}) {
      if (!rope->has(needed)) rope->fail(needed, "is missing; rope type 'llama3' needs it");
    }
    config.low_freq_factor = detail::positive(*rope, "low_freq_factor", config.low_freq_factor);
    config.high_freq_factor = detail::positive(*rope, "high_freq_factor", config.high_freq_factor);
    if (config.high_freq_factor <= config.low_freq_factor) {
      rope->fail("high_freq_factor", "expected more than low_freq_factor");
    }
    config.max_positions = detail::integer(*rope, "original_max_position_embeddings", max_position_embeddings);
  } else {
    rope->fail("rope_type", "expected default, linear, dynamic or llama3");
  }
  return config;
}

std::pair<at::Tensor, at::Tensor> rope_table(const RopeConfig& config, std::int64_t head_dim, std::int64_t length,
                                             std::int64_t scaled_length, at::TensorOptions options) {
  const at::Tensor positions = at::arange(length, at::kFloat);
  const at::Tensor half = at::outer(positions, inverse_frequencies(config, head_dim, scaled_length));
  const at::Tensor angles = at::cat({half, half}, -1);
  return {angles.cos().to(options), angles.sin().to(options)};
}

at::Tensor rotate(const at::Tensor& x, const std::pair<at::Tensor, at::Tensor>& table) {
  const at::Tensor cos = table.first.unsqueeze(1);
  const at::Tensor sin = table.second.unsqueeze(1);
  const std::int64_t half = x.size(-1) / 2;
  const at::Tensor turned = at::cat({-x.slice(-1, half), x.slice(-1, 0, half)}, -1);
  return x * cos + turned * sin;
}

}  // namespace reelfarm::text_encoders

#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include <ATen/core/Tensor.h>

namespace reelfarm::weights {
class Config;
}

namespace reelfarm::text_encoders {

/// How a language model turns positions into rotation frequencies.
struct RopeConfig {
  enum class Scaling { none, linear, dynamic, llama3 };

  Scaling scaling = Scaling::none;
  double theta = 10000.0;
  double factor = 1.0;             // linear, dynamic, llama3
  double low_freq_factor = 1.0;    // llama3
  double high_freq_factor = 4.0;   // llama3
  std::int64_t max_positions = 0;  // dynamic: config's max_position_embeddings; llama3: the original one

  /// Reads `rope_parameters` (transformers 5) or `rope_theta` with `rope_scaling` (transformers 4).
  /// Throws weights::WeightError for a scaling that is not listed above.
  static RopeConfig parse(const weights::Config& source, std::int64_t max_position_embeddings);
};

/// Cosines and sines for positions 0..length-1: two (length, head_dim) tensors in `dtype`; both halves of the last
/// dimension are equal. `scaled_length` is the sequence length that dynamic scaling sees. Angles are fp32.
/// Source: arXiv 2104.09864; "dynamic" is NTK-aware scaling (arXiv 2309.00071 appendix B.1), "llama3" that of
/// Llama 3.1.
std::pair<at::Tensor, at::Tensor> rope_table(const RopeConfig& config, std::int64_t head_dim, std::int64_t length,
                                             std::int64_t scaled_length, at::TensorOptions options);

/// x: (B, S, heads, head_dim), tables of S positions -> the same shape; dimension i turns with i + head_dim / 2.
at::Tensor rotate(const at::Tensor& x, const std::pair<at::Tensor, at::Tensor>& table);

}  // namespace reelfarm::text_encoders

#pragma once

#include <cstdint>
#include <variant>

#include <ATen/core/Tensor.h>

#include "pipeline/nn/linear.hpp"
#include "pipeline/quant/rows.hpp"

namespace reelfarm::quant {

/// y = x W^T + b over rows, in the reader's quantisation: with fp8, W is e4m3 with one scale per output, made from the
/// stored weights when they are read, and x comes with one scale per row. The sum is fp32, and so is what scales and
/// bias do to it; y is in the compute type, rounded once. Quantised products need features in multiples of 16. On the
/// CPU, and in fp32, it multiplies what the 8 bits stand for.
class Linear {
 public:
  /// Reads "weight" (out_features, in_features) and "bias" (out_features) below the reader's scope.
  Linear(const nn::ParameterReader& reader, std::int64_t in_features, std::int64_t out_features);

  /// x: (rows, in_features), quantised exactly where the weights are -> (rows, out_features).
  at::Tensor operator()(const Rows& x) const;
  /// The same into memory that is there; its rows may be strided where nothing is quantised.
  void into(at::Tensor out, const Rows& x) const;

 private:
  struct Quantised {
    Rows weight;         // a row per output
    at::Tensor bias;     // (out_features) in the compute type
    at::Tensor columns;  // the scales as (1, out_features)
  };
  static std::variant<nn::Linear, Quantised> read(const nn::ParameterReader& reader, std::int64_t in_features,
                                                  std::int64_t out_features);

  std::variant<nn::Linear, Quantised> weights_;
};

/// Whether products of this width can be quantised.
constexpr bool width_fits(std::int64_t features) {
  return features % 16 == 0;
}

}  // namespace reelfarm::quant

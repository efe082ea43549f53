#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include <ATen/core/Tensor.h>

#include "pipeline/nn/linear.hpp"
#include "pipeline/quant/rows.hpp"

namespace reelfarm::quant {

/// y = x W^T + b over rows, in the reader's quantisation, which is made from the stored weights when they are read.
///
/// fp8: W is e4m3 with one scale per output, and x comes with one scale per row. The sum is fp32, and so is what scales
/// and bias do to it; y is in the compute type, rounded once. Features are multiples of 16. On the CPU, and in fp32, it
/// multiplies what the 8 bits stand for.
///
/// int8: W is integers of -127 to 127 times one scale per output, its row's largest magnitude / 127. Before each
/// product W is rounded to the compute type, which takes 1 % of the time of a product with 10,000 rows; x comes in that
/// type.
///
/// w8a8: the same W, and x in integers with one scale per row. Sums are exact in 32 bits; scales and bias are applied
/// in fp32 (arXiv 2206.01861 section 3: one scale per token and per output). Features are multiples of 16.
///
/// Beside W there may be two factors of low rank that are not quantised: y = x W^T + b + (x down^T) up^T (arXiv
/// 2106.09685), with x as W has it.
class Linear {
 public:
  /// Reads "weight" (out_features, in_features) and "bias" (out_features) below the reader's scope, and, where they are
  /// there, "lora_down.weight" (ranks, in_features) and "lora_up.weight" (out_features, ranks).
  Linear(const nn::ParameterReader& reader, std::int64_t in_features, std::int64_t out_features);

  /// x: (rows, in_features), in the form of_rows(the reader's quantisation) -> (rows, out_features).
  at::Tensor operator()(const Rows& x) const;
  /// The same into memory that is there; its rows may be strided where nothing is quantised.
  void into(at::Tensor out, const Rows& x) const;

  /// For nn::LayerStore: without the factors, which stay where they are. Layers of a kind have the same size, whichever
  /// of them have factors.
  std::vector<at::Tensor*> parameters();

 private:
  struct EightBit {
    Rows weight;      // a row per output
    at::Tensor bias;  // (out_features) in the compute type
  };
  struct Fp8 : EightBit {};
  struct Int8 : EightBit {
    at::Tensor wide() const;  // the weight in the compute type
  };
  struct W8a8 : EightBit {};
  using Weights = std::variant<nn::Linear, Fp8, Int8, W8a8>;
  struct LowRank {
    at::Tensor down, up;  // in the compute type
  };
  static Weights read(const nn::ParameterReader& reader, std::int64_t in_features, std::int64_t out_features);
  static std::optional<LowRank> read_factors(const nn::ParameterReader& reader, std::int64_t in_features,
                                             std::int64_t out_features);
  at::Tensor product(const Rows& x) const;
  void product_into(at::Tensor out, const Rows& x) const;
  void add_low_rank(const at::Tensor& out, const Rows& x) const;

  Weights weights_;
  std::optional<LowRank> low_rank_;
};

/// Memory that a w8a8 product of this shape takes on a GPU besides its operands and result, in bytes.
std::int64_t bytes_of_sums(std::int64_t rows, std::int64_t out_features);

/// Whether operands of this width can be in fp8 or w8a8.
constexpr bool width_fits(std::int64_t features) {
  return features % 16 == 0;
}

}  // namespace reelfarm::quant

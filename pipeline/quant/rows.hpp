#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "pipeline/nn/placement.hpp"

namespace reelfarm::quant {

/// Rows as a product takes them: as they are, or in 8 bits with one scale each. A row in 8 bits stands for its values
/// times its scale.
struct Rows {
  at::Tensor values;  ///< (rows, features), in the compute type, e4m3 or int8
  at::Tensor scales;  ///< (rows, 1) fp32; undefined for the compute type

  bool plain() const { return !scales.defined(); }
  Rows narrow(std::int64_t first, std::int64_t count) const;
  /// Overwrites these rows, which are as many and of the same kind.
  void copy_(const Rows& other) const;
};

/// What the rows that meet such weights are in: int8 quantises weights alone.
constexpr nn::Quantisation of_rows(nn::Quantisation quantisation) {
  return quantisation == nn::Quantisation::int8 ? nn::Quantisation::none : quantisation;
}

/// Memory for quantised rows.
Rows empty_rows(std::int64_t rows, std::int64_t features, nn::Quantisation quantisation, c10::Device device);

/// x: (rows, features), dense -> the same as they are for Quantisation::none. In e4m3 a row's scale is its largest
/// magnitude / 448 (1 for a row of zeros), and values are rounded to nearest, so that an error is at most 1/16 of the
/// value it is of. In int8 (Quantisation::w8a8) it is the largest / 127, and an error is at most half a scale; a row
/// with a NaN has that for a scale. One kernel of the CUDA plug-in where it is loaded, which also fuses it with what
/// comes before (joined.hpp, norm.hpp).
Rows quantise(const at::Tensor& x, nn::Quantisation quantisation);

/// The same rows in this quantisation; dtype is the compute type.
Rows converted(const Rows& rows, nn::Quantisation quantisation, at::ScalarType dtype);

/// What the rows stand for, in this type.
at::Tensor dequantise(const Rows& rows, at::ScalarType dtype);

}  // namespace reelfarm::quant

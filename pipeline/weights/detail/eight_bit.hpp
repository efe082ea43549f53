#pragma once

#include <cstdint>
#include <memory>

#include "pipeline/weights/tensor.hpp"

namespace reelfarm::weights::detail {

/// A matrix in 8 bits: one scale for each of its rows, which are the outputs of a layer.
struct EightBitRows {
  TensorInfo values;                    ///< NAME, of the matrix' shape, I8 or F8_E4M3
  TensorInfo scales;                    ///< NAME with "weight_scale" for "weight": (rows, 1) F32
  std::shared_ptr<const double> error;  ///< |what it stands for - matrix| / |matrix|, Frobenius; once either was read
};

/// `weight` (rows, columns) as I8, of -127 to 127, or as F8_E4M3. A row's scale is its largest magnitude / 127 or / 448
/// (1 for a row of zeros), and values are rounded to nearest even. Nothing is read before the results are; both are
/// made of one reading when they are read one after the other.
EightBitRows eight_bit_rows(const TensorInfo& weight, DType dtype);

}  // namespace reelfarm::weights::detail

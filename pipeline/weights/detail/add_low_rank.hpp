#pragma once

#include <memory>
#include <span>
#include <vector>

#include "pipeline/weights/tensor.hpp"

namespace reelfarm::weights {

class TensorFile;

namespace detail {

/// factor * up down, to be added to a weight of (rows, columns). Rows of `up` and all of `down` may be shared by
/// several.
struct LowRank {
  TensorInfo up;    ///< rows x rank, F32, BF16 or F16
  TensorInfo down;  ///< rank x columns
  double factor = 1.0;
  std::shared_ptr<const TensorFile> file = nullptr;  ///< kept open for as long as the factors may be read
};

/// `weight` with the products added. Read as F32 where it is stored as F32 or F16, else as BF16: sums are fp32, one
/// product after the other, and are rounded once. The bits depend neither on the processor nor on the threads, of which
/// a large weight gets as many as the machine has. Nothing is read before the tensor is.
TensorInfo with_low_rank(const TensorInfo& weight, const std::vector<LowRank>& products);

/// The products beside the weight, as the two factors of one: "X.lora_down.weight" (ranks, columns) and
/// "X.lora_up.weight" (rows, ranks) for "X.weight", F32, with every factor in `up`. Nothing is read before they are.
std::vector<TensorInfo> stacked_low_rank(const TensorInfo& weight, const std::vector<LowRank>& products);

}  // namespace detail
}  // namespace reelfarm::weights

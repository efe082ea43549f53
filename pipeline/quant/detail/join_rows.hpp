#pragma once

#include <ATen/core/Tensor.h>

#include "pipeline/quant/rows.hpp"

namespace reelfarm::quant::detail {

/// [left | right], or right alone where left is null, with gelu_tanh on the right where asked, into `out`, which may be
/// plain. False, and nothing done, where the CUDA plug-in does not take it.
bool join_rows(const Rows* left, const at::Tensor& right, bool gelu, const Rows& out);

}  // namespace reelfarm::quant::detail

#pragma once

#include <ATen/core/Tensor.h>

#include "pipeline/quant/rows.hpp"

namespace reelfarm::quant {

/// gelu_tanh(x), then quantise(). One kernel of the CUDA plug-in where it is loaded. x: (rows, features), dense; it is
/// overwritten, and what comes back may be its memory.
Rows gelu(const at::Tensor& x, nn::Quantisation quantisation);

/// [left | gelu_tanh(x)] with one scale over both, likewise. `joined`: (rows, left + x features) in the type of x;
/// where nothing is to be quantised the result goes there, and x is the right part of it.
Rows join_gelu(const Rows& left, const at::Tensor& x, const at::Tensor& joined, nn::Quantisation quantisation);

}  // namespace reelfarm::quant

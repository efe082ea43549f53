#pragma once

#include <ATen/core/Tensor.h>

#include "pipeline/quant/rows.hpp"

namespace reelfarm::quant {

/// nn::modulated_layer_norm, then quantise(). One kernel of the CUDA plug-in where it is loaded, which rounds once
/// instead of twice. x: (rows, features), dense; scale, shift: (features) in the type of x.
Rows modulated_layer_norm(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift, double eps,
                          nn::Quantisation quantisation);

}  // namespace reelfarm::quant

#pragma once

#include <string_view>

#include <ATen/core/Tensor.h>

namespace reelfarm::nn {

/// Pointwise functions by the names that configs give them.
enum class Activation {
  gelu,        // exact, with the error function: "gelu"
  gelu_tanh,   // "gelu_new", "gelu_pytorch_tanh", "gelu-approximate"
  quick_gelu,  // x * sigmoid(1.702 x): "quick_gelu"
  silu,        // "silu", "swish"
  relu,        // "relu"
};

/// Throws std::invalid_argument for a name outside the list above.
Activation activation_of_name(std::string_view name);

/// Any shape -> the same shape and dtype.
at::Tensor activate(Activation activation, const at::Tensor& x);

}  // namespace reelfarm::nn

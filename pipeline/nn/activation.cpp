#include "pipeline/nn/activation.hpp"

#include <stdexcept>
#include <string>

namespace reelfarm::nn {

Activation activation_of_name(std::string_view name) {
  if (name == "gelu") return Activation::gelu;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh" || name == "gelu-approximate") return Activation::gelu_tanh;
  if (name == "quick_gelu") return Activation::quick_gelu;
  if (name == "silu" || name == "swish") return Activation::silu;
  if (name == "relu") return Activation::relu;
  throw std::invalid_argument("activation '" + std::string(name) +
                              "' is unknown; known are gelu, gelu_new, gelu_pytorch_tanh, gelu-approximate, "
                              "quick_gelu, silu, swish and relu");
}

at::Tensor activate(Activation activation, const at::Tensor& x) {
  switch (activation) {
    case Activation::gelu:
      return at::gelu(x);
    case Activation::gelu_tanh:
      return at::gelu(x, "tanh");
    case Activation::quick_gelu:
      return x * at::sigmoid(1.702 * x);
    case Activation::silu:
      return at::silu(x);
    case Activation::relu:
      return at::relu(x);
  }
  throw std::logic_error("an activation has no function");
}

}  // namespace reelfarm::nn

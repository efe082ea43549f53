#include "pipeline/quant/norm.hpp"

#include "pipeline/nn/norm.hpp"

namespace reelfarm::quant {

Rows modulated_layer_norm(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift, double eps,
                          nn::Quantisation quantisation) {
  if (quantisation != nn::Quantisation::none) {
    const Rows out = empty_rows(x.size(0), x.size(1), quantisation, x.device());
    if (nn::modulated_layer_norm_8_bits(x, scale, shift, eps, out.values, out.scales)) return out;
  }
  return quantise(nn::modulated_layer_norm(x, scale, shift, eps), quantisation);
}

}  // namespace reelfarm::quant

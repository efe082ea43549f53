#include "pipeline/quant/joined.hpp"

#include <ATen/ATen.h>

#include "pipeline/nn/gelu.hpp"
#include "pipeline/quant/detail/join_rows.hpp"

namespace reelfarm::quant {
namespace {

Rows rows_for(const at::Tensor& plain, nn::Quantisation quantisation) {
  if (quantisation == nn::Quantisation::none) return {plain, {}};
  return empty_rows(plain.size(0), plain.size(1), quantisation, plain.device());
}

}  // namespace

Rows gelu(const at::Tensor& x, nn::Quantisation quantisation) {
  Rows out = rows_for(x, quantisation);
  if (detail::join_rows(nullptr, x, /*gelu=*/true, out)) return out;
  nn::gelu_tanh_(x);
  return quantise(x, quantisation);
}

Rows join_gelu(const Rows& left, const at::Tensor& x, const at::Tensor& joined, nn::Quantisation quantisation) {
  Rows out = rows_for(joined, quantisation);
  if (detail::join_rows(&left, x, /*gelu=*/true, out)) return out;
  nn::gelu_tanh_(x);
  const at::Tensor plain = left.plain() ? left.values : dequantise(left, x.scalar_type());
  if (quantisation != nn::Quantisation::none) return quantise(at::cat({plain, x}, 1), quantisation);
  joined.narrow(1, 0, plain.size(1)).copy_(plain);
  return {joined, {}};
}

}  // namespace reelfarm::quant

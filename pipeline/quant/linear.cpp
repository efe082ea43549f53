#include "pipeline/quant/linear.hpp"

#include "pipeline/nn/parameter_reader.hpp"

namespace reelfarm::quant {

std::variant<nn::Linear, Linear::Quantised> Linear::read(const nn::ParameterReader& reader, std::int64_t in_features,
                                                         std::int64_t out_features) {
  const nn::Quantisation quantisation = reader.placement().quantisation;
  if (quantisation == nn::Quantisation::none) return nn::Linear(reader, in_features, out_features);
  TORCH_CHECK(width_fits(in_features) && width_fits(out_features), reader.full_name("weight"), ": ", out_features,
              " x ", in_features, " cannot be quantised; both must be multiples of 16");
  const Rows weight = quantise(reader.tensor("weight", {out_features, in_features}), quantisation);
  return Quantised{weight, reader.tensor("bias", {out_features}), weight.scales.view({1, out_features})};
}

Linear::Linear(const nn::ParameterReader& reader, std::int64_t in_features, std::int64_t out_features)
    : weights_(read(reader, in_features, out_features)) {}

at::Tensor Linear::operator()(const Rows& x) const {
  if (const auto* plain = std::get_if<nn::Linear>(&weights_)) return (*plain)(x.values);
  const auto& [weight, bias, columns] = std::get<Quantised>(weights_);
  at::Tensor out = at::empty({x.values.size(0), weight.values.size(0)}, bias.options());
  into(out, x);
  return out;
}

void Linear::into(at::Tensor out, const Rows& x) const {
  if (const auto* plain = std::get_if<nn::Linear>(&weights_)) {
    plain->into(out, x.values);
    return;
  }
  const auto& [weight, bias, columns] = std::get<Quantised>(weights_);
  if (out.is_cuda() && out.scalar_type() == at::kBFloat16) {
    // Fast accumulation adds up in the tensor cores throughout, which is what the 8-bit rates are given for.
    at::_scaled_mm_out(out, x.values, weight.values.t(), x.scales, columns, bias, /*scale_result=*/{}, at::kBFloat16,
                       /*use_fast_accum=*/true);
    return;
  }
  out.copy_(at::linear(dequantise(x, at::kFloat), dequantise(weight, at::kFloat), bias.to(at::kFloat)));
}

}  // namespace reelfarm::quant

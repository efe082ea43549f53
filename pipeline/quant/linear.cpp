#include "pipeline/quant/linear.hpp"

#include "pipeline/nn/parameter_reader.hpp"

namespace reelfarm::quant {

Linear::Weights Linear::read(const nn::ParameterReader& reader, std::int64_t in_features, std::int64_t out_features) {
  const auto weight = [&] { return reader.tensor("weight", {out_features, in_features}); };
  const auto bias = [&] { return reader.tensor("bias", {out_features}); };
  switch (reader.placement().quantisation) {
    case nn::Quantisation::none:
      break;
    case nn::Quantisation::fp8:
      TORCH_CHECK(width_fits(in_features) && width_fits(out_features), reader.full_name("weight"), ": ", out_features,
                  " x ", in_features, " cannot be quantised; both must be multiples of 16");
      return Fp8{quantise(weight(), nn::Quantisation::fp8), bias()};
    case nn::Quantisation::int8: {
      constexpr double kLargest = 127;
      const at::Tensor wide = weight().to(at::kFloat);
      const at::Tensor largest = wide.abs().amax({1}, /*keepdim=*/true);
      // A row of zeros has any scale.
      const at::Tensor scales = at::where(largest > 0, largest / kLargest, at::ones_like(largest));
      return Int8{(wide / scales).round_().clamp_(-kLargest, kLargest).to(at::kChar), scales, bias()};
    }
  }
  return nn::Linear(reader, in_features, out_features);
}

at::Tensor Linear::Int8::weight() const {
  at::Tensor rounded = at::empty(values.sizes(), bias.options());
  at::mul_out(rounded, values, scales);  // in fp32, rounded once
  return rounded;
}

Linear::Linear(const nn::ParameterReader& reader, std::int64_t in_features, std::int64_t out_features)
    : weights_(read(reader, in_features, out_features)) {}

std::vector<at::Tensor*> Linear::parameters() {
  if (auto* plain = std::get_if<nn::Linear>(&weights_)) return plain->parameters();
  if (auto* fp8 = std::get_if<Fp8>(&weights_)) return {&fp8->weight.values, &fp8->weight.scales, &fp8->bias};
  auto& int8 = std::get<Int8>(weights_);
  return {&int8.values, &int8.scales, &int8.bias};
}

at::Tensor Linear::operator()(const Rows& x) const {
  if (const auto* plain = std::get_if<nn::Linear>(&weights_)) return (*plain)(x.values);
  if (const auto* int8 = std::get_if<Int8>(&weights_)) return at::linear(x.values, int8->weight(), int8->bias);
  const auto& [weight, bias] = std::get<Fp8>(weights_);
  at::Tensor out = at::empty({x.values.size(0), weight.values.size(0)}, bias.options());
  into(out, x);
  return out;
}

void Linear::into(at::Tensor out, const Rows& x) const {
  if (const auto* plain = std::get_if<nn::Linear>(&weights_)) {
    plain->into(out, x.values);
    return;
  }
  if (const auto* int8 = std::get_if<Int8>(&weights_)) {
    at::addmm_out(out, int8->bias, x.values, int8->weight().t());
    return;
  }
  const auto& [weight, bias] = std::get<Fp8>(weights_);
  if (out.is_cuda() && out.scalar_type() == at::kBFloat16) {
    // Fast accumulation adds up in the tensor cores throughout, which is what the 8-bit rates are given for.
    at::_scaled_mm_out(out, x.values, weight.values.t(), x.scales, weight.scales.t(), bias, /*scale_result=*/{},
                       at::kBFloat16, /*use_fast_accum=*/true);
    return;
  }
  out.copy_(at::linear(dequantise(x, at::kFloat), dequantise(weight, at::kFloat), bias.to(at::kFloat)));
}

}  // namespace reelfarm::quant

#include "pipeline/quant/linear.hpp"

#include <algorithm>
#include <type_traits>

#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/quant/detail/int8_product.hpp"
#include "pipeline/quant/detail/round_rows.hpp"

namespace reelfarm::quant {

Linear::Weights Linear::read(const nn::ParameterReader& reader, std::int64_t in_features, std::int64_t out_features) {
  const auto weight = [&] { return reader.tensor("weight", {out_features, in_features}); };
  const auto bias = [&] { return reader.tensor("bias", {out_features}); };
  const auto expect_fit = [&] {
    TORCH_CHECK(width_fits(in_features) && width_fits(out_features), reader.full_name("weight"), ": ", out_features,
                " x ", in_features, " cannot be quantised; both must be multiples of 16");
  };
  switch (reader.placement().quantisation) {
    case nn::Quantisation::none:
      break;
    case nn::Quantisation::fp8:
      expect_fit();
      return Fp8{{quantise(weight(), nn::Quantisation::fp8), bias()}};
    case nn::Quantisation::int8:
      return Int8{{detail::round_rows(weight(), nn::Quantisation::w8a8), bias()}};
    case nn::Quantisation::w8a8:
      expect_fit();
      return W8a8{{detail::round_rows(weight(), nn::Quantisation::w8a8), bias()}};
  }
  return nn::Linear(reader, in_features, out_features);
}

std::optional<Linear::LowRank> Linear::read_factors(const nn::ParameterReader& reader, std::int64_t in_features,
                                                    std::int64_t out_features) {
  if (!reader.has("lora_down.weight")) return std::nullopt;
  const std::int64_t ranks = reader.shape("lora_down.weight").at(0);
  return LowRank{reader.tensor("lora_down.weight", {ranks, in_features}),
                 reader.tensor("lora_up.weight", {out_features, ranks})};
}

at::Tensor Linear::Int8::wide() const {
  at::Tensor rounded = at::empty(weight.values.sizes(), bias.options());
  at::mul_out(rounded, weight.values, weight.scales);  // in fp32, rounded once
  return rounded;
}

Linear::Linear(const nn::ParameterReader& reader, std::int64_t in_features, std::int64_t out_features)
    : weights_(read(reader, in_features, out_features)), low_rank_(read_factors(reader, in_features, out_features)) {}

std::vector<at::Tensor*> Linear::parameters() {
  return std::visit(
      [](auto& weights) -> std::vector<at::Tensor*> {
        if constexpr (std::is_same_v<std::decay_t<decltype(weights)>, nn::Linear>) {
          return weights.parameters();
        } else {
          return {&weights.weight.values, &weights.weight.scales, &weights.bias};
        }
      },
      weights_);
}

at::Tensor Linear::operator()(const Rows& x) const {
  at::Tensor out = product(x);
  add_low_rank(out, x);
  return out;
}

void Linear::into(at::Tensor out, const Rows& x) const {
  product_into(out, x);
  add_low_rank(out, x);
}

void Linear::add_low_rank(const at::Tensor& out, const Rows& x) const {
  if (!low_rank_) return;
  const auto& [down, up] = *low_rank_;
  // Rows in 8 bits are widened for the product, exactly, a part of them at a time; their scales are for its few
  // results.
  const std::int64_t rows = x.values.size(0), held = x.plain() ? std::max<std::int64_t>(rows, 1) : detail::kRowsOfSums;
  for (std::int64_t begin = 0; begin < rows; begin += held) {
    const Rows part = x.narrow(begin, std::min(held, rows - begin));
    const at::Tensor ranks = at::mm(part.values.to(down.scalar_type()), down.t());
    if (!part.plain()) ranks.mul_(part.scales);
    out.narrow(0, begin, part.values.size(0)).addmm_(ranks, up.t());
  }
}

at::Tensor Linear::product(const Rows& x) const {
  if (const auto* plain = std::get_if<nn::Linear>(&weights_)) return (*plain)(x.values);
  if (const auto* int8 = std::get_if<Int8>(&weights_)) return at::linear(x.values, int8->wide(), int8->bias);
  const auto* w8a8 = std::get_if<W8a8>(&weights_);
  const EightBit& weights = w8a8 != nullptr ? static_cast<const EightBit&>(*w8a8) : std::get<Fp8>(weights_);
  at::Tensor out = at::empty({x.values.size(0), weights.weight.values.size(0)}, weights.bias.options());
  product_into(out, x);
  return out;
}

void Linear::product_into(at::Tensor out, const Rows& x) const {
  if (const auto* plain = std::get_if<nn::Linear>(&weights_)) {
    plain->into(out, x.values);
    return;
  }
  if (const auto* int8 = std::get_if<Int8>(&weights_)) {
    at::addmm_out(out, int8->bias, x.values, int8->wide().t());
    return;
  }
  if (const auto* w8a8 = std::get_if<W8a8>(&weights_)) {
    detail::int8_product(out, x, w8a8->weight, w8a8->bias);
    return;
  }
  const auto& fp8 = std::get<Fp8>(weights_);
  if (out.is_cuda() && out.scalar_type() == at::kBFloat16) {
    // Fast accumulation adds up in the tensor cores throughout, which is what the 8-bit rates are given for.
    at::_scaled_mm_out(out, x.values, fp8.weight.values.t(), x.scales, fp8.weight.scales.t(), fp8.bias,
                       /*scale_result=*/{}, at::kBFloat16, /*use_fast_accum=*/true);
    return;
  }
  out.copy_(at::linear(dequantise(x, at::kFloat), dequantise(fp8.weight, at::kFloat), fp8.bias.to(at::kFloat)));
}

std::int64_t bytes_of_sums(std::int64_t rows, std::int64_t out_features) {
  return std::min(rows, detail::kRowsOfSums) * out_features * static_cast<std::int64_t>(sizeof(std::int32_t));
}

}  // namespace reelfarm::quant

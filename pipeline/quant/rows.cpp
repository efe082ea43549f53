#include "pipeline/quant/rows.hpp"

#include "pipeline/quant/detail/join_rows.hpp"
#include "pipeline/quant/detail/round_rows.hpp"

namespace reelfarm::quant {
namespace {

at::ScalarType type_of(nn::Quantisation of_rows) {
  return of_rows == nn::Quantisation::fp8 ? at::kFloat8_e4m3fn : at::kChar;
}

}  // namespace

Rows Rows::narrow(std::int64_t first, std::int64_t count) const {
  return {values.narrow(0, first, count), plain() ? at::Tensor() : scales.narrow(0, first, count)};
}

void Rows::copy_(const Rows& other) const {
  values.copy_(other.values);
  if (!plain()) scales.copy_(other.scales);
}

Rows empty_rows(std::int64_t rows, std::int64_t features, nn::Quantisation quantisation, c10::Device device) {
  TORCH_CHECK(quantisation == of_rows(quantisation) && quantisation != nn::Quantisation::none,
              "empty_rows: not a kind of quantised rows");
  return {at::empty({rows, features}, at::TensorOptions().device(device).dtype(type_of(quantisation))),
          at::empty({rows, 1}, at::TensorOptions().device(device).dtype(at::kFloat))};
}

Rows quantise(const at::Tensor& x, nn::Quantisation quantisation) {
  if (quantisation == nn::Quantisation::none) return {x, {}};
  Rows out = empty_rows(x.size(0), x.size(1), quantisation, x.device());
  if (detail::join_rows(nullptr, x, /*gelu=*/false, out)) return out;
  return detail::round_rows(x, quantisation);
}

Rows converted(const Rows& rows, nn::Quantisation quantisation, at::ScalarType dtype) {
  if (rows.plain()) return quantise(rows.values, quantisation);
  if (quantisation != nn::Quantisation::none && rows.values.scalar_type() == type_of(quantisation)) return rows;
  return quantise(dequantise(rows, dtype), quantisation);
}

at::Tensor dequantise(const Rows& rows, at::ScalarType dtype) {
  if (rows.plain()) return rows.values.to(dtype);
  return (rows.values.to(at::kFloat) * rows.scales).to(dtype);
}

}  // namespace reelfarm::quant

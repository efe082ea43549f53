#include "pipeline/quant/rows.hpp"

#include "pipeline/quant/detail/e4m3.hpp"
#include "pipeline/quant/detail/join_rows.hpp"

namespace reelfarm::quant {

Rows Rows::narrow(std::int64_t first, std::int64_t count) const {
  return {values.narrow(0, first, count), plain() ? at::Tensor() : scales.narrow(0, first, count)};
}

void Rows::copy_(const Rows& other) const {
  values.copy_(other.values);
  if (!plain()) scales.copy_(other.scales);
}

Rows empty_rows(std::int64_t rows, std::int64_t features, nn::Quantisation quantisation, c10::Device device) {
  TORCH_CHECK(quantisation == nn::Quantisation::fp8, "empty_rows: not a quantised kind");
  return {at::empty({rows, features}, at::TensorOptions().device(device).dtype(at::kFloat8_e4m3fn)),
          at::empty({rows, 1}, at::TensorOptions().device(device).dtype(at::kFloat))};
}

Rows quantise(const at::Tensor& x, nn::Quantisation quantisation) {
  if (quantisation == nn::Quantisation::none) return {x, {}};
  Rows out = empty_rows(x.size(0), x.size(1), quantisation, x.device());
  if (detail::join_rows(nullptr, x, /*gelu=*/false, out)) return out;
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor scales = detail::e4m3_scale(wide.abs().amax({-1}, /*keepdim=*/true));
  return {(wide / scales).to(at::kFloat8_e4m3fn), scales};
}

Rows converted(const Rows& rows, nn::Quantisation quantisation, at::ScalarType dtype) {
  if (rows.plain() == (quantisation == nn::Quantisation::none)) return rows;
  return rows.plain() ? quantise(rows.values, quantisation) : Rows{dequantise(rows, dtype), {}};
}

at::Tensor dequantise(const Rows& rows, at::ScalarType dtype) {
  if (rows.plain()) return rows.values.to(dtype);
  return (rows.values.to(at::kFloat) * rows.scales).to(dtype);
}

}  // namespace reelfarm::quant

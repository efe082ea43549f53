#include "pipeline/quant/detail/int8_product.hpp"

#include <algorithm>

#include <ATen/ATen.h>

#include "pipeline/nn/cuda_kernels.hpp"

namespace reelfarm::quant::detail {
namespace {

/// LibTorch's product of integers takes no fewer than 17 rows on a GPU.
constexpr std::int64_t kLeastRows = 32;

/// x W^T in 32 bits. On a processor without VNNI oneDNN adds products in pairs of 16 bits, which saturate; in fp32 a
/// sum of 1,040 products of at most 127 x 127 is exact in any order.
at::Tensor exact_sums(const at::Tensor& x, const at::Tensor& weight) {
  constexpr std::int64_t kExact = 1024;
  at::Tensor sums = at::zeros({x.size(0), weight.size(0)}, x.options().dtype(at::kInt));
  for (std::int64_t begin = 0; begin < x.size(1); begin += kExact) {
    const std::int64_t count = std::min(kExact, x.size(1) - begin);
    const auto part = [&](const at::Tensor& all) { return all.narrow(1, begin, count).to(at::kFloat); };
    sums.add_(at::mm(part(x), part(weight).t()).to(at::kInt));
  }
  return sums;
}

bool plugin_takes(const at::Tensor& out, const at::Tensor& bias) {
  const auto aligned = [](const at::Tensor& x) {
    return x.is_contiguous() && reinterpret_cast<std::uintptr_t>(x.const_data_ptr()) % 16 == 0;
  };
  return out.is_cuda() && nn::cuda_kernels() != nullptr && out.scalar_type() == at::kBFloat16 &&
         bias.scalar_type() == at::kBFloat16 && aligned(out) && aligned(bias);
}

void scale(const at::Tensor& out, const at::Tensor& sums, const at::Tensor& row_scales, const at::Tensor& scales,
           const at::Tensor& bias) {
  if (!plugin_takes(out, bias)) {
    out.copy_(sums.to(at::kFloat).mul_(row_scales).mul_(scales.t()).add_(bias));
    return;
  }
  nn::launch_cuda_kernel(nn::cuda_kernels()->scale_sums,
                         {.sums = sums.const_data_ptr<std::int32_t>(),
                          .row_scales = row_scales.const_data_ptr<float>(),
                          .column_scales = scales.const_data_ptr<float>(),
                          .bias = bias.const_data_ptr(),
                          .out = out.mutable_data_ptr(),
                          .rows = out.size(0),
                          .features = out.size(1)},
                         out);
}

}  // namespace

void int8_product(const at::Tensor& out, const Rows& x, const Rows& weight, const at::Tensor& bias) {
  if (!out.is_cuda()) {
    scale(out, exact_sums(x.values, weight.values), x.scales, weight.scales, bias);
    return;
  }
  const std::int64_t rows = x.values.size(0);
  const std::int64_t held = std::clamp(rows, kLeastRows, kRowsOfSums);
  const at::Tensor memory = at::empty({held, weight.values.size(0)}, x.values.options().dtype(at::kInt));
  for (std::int64_t begin = 0; begin < rows; begin += kRowsOfSums) {
    const std::int64_t count = std::min(kRowsOfSums, rows - begin);
    const Rows part = x.narrow(begin, count);
    const std::int64_t lacking = std::max<std::int64_t>(0, kLeastRows - count);
    const at::Tensor taken =
        lacking == 0 ? part.values : at::constant_pad_nd(part.values, {0, 0, 0, lacking});  // with zeros
    at::Tensor sums = memory.narrow(0, 0, count + lacking);
    at::_int_mm_out(sums, taken, weight.values.t());
    scale(out.narrow(0, begin, count), sums.narrow(0, 0, count), part.scales, weight.scales, bias);
  }
}

}  // namespace reelfarm::quant::detail

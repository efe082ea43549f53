#include "pipeline/nn/rotary.hpp"

#include <ATen/Parallel.h>

#include "pipeline/nn/cuda_kernels.hpp"
#include "pipeline/nn/detail/norm_rotate_rows.hpp"

namespace reelfarm::nn {
namespace {

template <typename T>
void cpu_kernel(at::Tensor& x, const at::Tensor& weight, double eps, const RotaryTable* rotary) {
  const std::int64_t heads = x.size(1);
  const std::int64_t head_dim = x.size(2);
  const std::int64_t stride = x.stride(0);
  T* data = x.mutable_data_ptr<T>();
  const at::Tensor wide_weight = weight.to(at::kFloat);
  const float* scale = wide_weight.const_data_ptr<float>();
  const float* cos = rotary != nullptr ? rotary->cos.const_data_ptr<float>() : nullptr;
  const float* sin = rotary != nullptr ? rotary->sin.const_data_ptr<float>() : nullptr;
  at::parallel_for(0, x.size(0), 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t token = begin; token < end; ++token) {
      const std::int64_t angle = token * (head_dim / 2);
      detail::norm_rotate_row(detail::storage(data + token * stride), heads, head_dim, scale, static_cast<float>(eps),
                              cos != nullptr ? cos + angle : nullptr, sin != nullptr ? sin + angle : nullptr);
    }
  });
}

void aten_path(at::Tensor& x, const at::Tensor& weight, double eps, const RotaryTable* rotary) {
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor scale = at::rsqrt(at::mean(wide * wide, {-1}, /*keepdim=*/true) + eps);
  const at::Tensor normed = wide * scale * weight.to(at::kFloat);
  if (rotary == nullptr) {
    x.copy_(normed);
    return;
  }
  const at::Tensor pairs = normed.unflatten(-1, {-1, 2});
  const at::Tensor x0 = pairs.select(-1, 0);
  const at::Tensor x1 = pairs.select(-1, 1);
  const at::Tensor cos = rotary->cos.unsqueeze(1);
  const at::Tensor sin = rotary->sin.unsqueeze(1);
  x.copy_(at::stack({x0 * cos - x1 * sin, x1 * cos + x0 * sin}, -1).flatten(-2));
}

bool plugin_takes(const at::Tensor& x) {
  return x.is_cuda() && cuda_kernels() != nullptr && x.size(2) % 2 == 0 && x.size(2) <= cuda::kMaxHeadDim &&
         x.stride(0) % 2 == 0 && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

void plugin_kernel(at::Tensor& x, const at::Tensor& weight, double eps, const RotaryTable* rotary) {
  launch_cuda_kernel(cuda_kernels()->norm_rotate,
                     {.x = x.mutable_data_ptr(),
                      .weight = weight.const_data_ptr(),
                      .cos = rotary != nullptr ? rotary->cos.const_data_ptr<float>() : nullptr,
                      .sin = rotary != nullptr ? rotary->sin.const_data_ptr<float>() : nullptr,
                      .tokens = x.size(0),
                      .heads = x.size(1),
                      .head_dim = x.size(2),
                      .token_stride = x.stride(0),
                      .eps = static_cast<float>(eps),
                      .element = x.scalar_type() == at::kFloat ? cuda::Element::f32 : cuda::Element::bf16},
                     x);
}

bool dense(const at::Tensor& x) {
  return x.stride(2) == 1 && x.stride(1) == x.size(2);
}

}  // namespace

void rms_norm_rotate_(at::Tensor x, const at::Tensor& weight, double eps, const RotaryTable* rotary) {
  TORCH_CHECK(x.dim() == 3 && dense(x), "rms_norm_rotate_: expected (tokens, heads, head_dim) with dense rows, found ",
              x.sizes(), " with strides ", x.strides());
  TORCH_CHECK(rotary == nullptr || rotary->cos.sizes() == at::IntArrayRef({x.size(0), x.size(2) / 2}),
              "rms_norm_rotate_: table ", rotary->cos.sizes(), " does not fit x ", x.sizes());
  if (x.is_cpu() && x.size(2) <= detail::kMaxHeadDim && x.size(2) % 2 == 0) {
    if (x.scalar_type() == at::kFloat) return cpu_kernel<float>(x, weight, eps, rotary);
    if (x.scalar_type() == at::kBFloat16) return cpu_kernel<at::BFloat16>(x, weight, eps, rotary);
  }
  if (plugin_takes(x)) return plugin_kernel(x, weight, eps, rotary);
  aten_path(x, weight, eps, rotary);
}

}  // namespace reelfarm::nn

#include "pipeline/quant/attention.hpp"

#include <cmath>
#include <optional>

#include "pipeline/nn/attention.hpp"
#include "pipeline/nn/cuda_kernels.hpp"
#include "pipeline/quant/detail/round_rows.hpp"

namespace reelfarm::quant {
namespace {

using nn::cuda::AttentionScales;

/// The first floats of a tensor in the plug-in's struct.
AttentionScales* scales_of(const at::Tensor& numbers) {
  return reinterpret_cast<AttentionScales*>(numbers.mutable_data_ptr<float>());
}

nn::cuda::Fp8Attention arguments_of(const at::Tensor& q, const at::Tensor& k) {
  return {.query_tokens = q.size(0),
          .key_tokens = k.size(0),
          .heads = q.size(1),
          .head_dim = q.size(2),
          .factor = 1.0F / std::sqrt(static_cast<float>(q.size(2)))};
}

at::Tensor mean_of_tokens(const at::Tensor& k) {
  return k.mean(0, /*keepdim=*/false, at::kFloat);
}

Rows one_scale(const at::Tensor& out, const at::Tensor& scale) {
  return {out.flatten(1), scale.view({1, 1}).expand({out.size(0), 1}).contiguous()};
}

Rows plugin_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, std::int64_t workspace_bytes) {
  const nn::cuda::KernelTable& table = *nn::cuda_kernels();
  const auto options = q.options();
  const at::Tensor numbers = at::zeros({sizeof(AttentionScales) / sizeof(float)}, options.dtype(at::kFloat));
  AttentionScales* scales = scales_of(numbers);
  const at::Tensor mean = mean_of_tokens(k);
  const at::Tensor workspace = at::empty({workspace_bytes}, options.dtype(at::kByte));
  nn::cuda::Fp8Attention arguments = arguments_of(q, k);
  arguments.scales = scales;
  arguments.workspace = workspace.mutable_data_ptr();

  struct Operand {
    const at::Tensor& x;
    const float* mean;
    float* number;
    at::Tensor out;
  };
  const auto out_like = [](const at::Tensor& x) { return at::empty_like(x, x.options().dtype(at::kFloat8_e4m3fn)); };
  const Operand operands[] = {{q, nullptr, &scales->descale_q, out_like(q)},
                              {k, mean.const_data_ptr<float>(), &scales->descale_k, out_like(k)},
                              {v, nullptr, &scales->descale_v, out_like(v)}};
  const auto each = [&](int (*kernel)(const nn::cuda::Tokens*, void*)) {
    for (const Operand& operand : operands) {
      nn::launch_cuda_kernel(kernel,
                             {.x = operand.x.const_data_ptr(),
                              .mean = operand.mean,
                              .number = operand.number,
                              .out = operand.out.mutable_data_ptr(),
                              .tokens = operand.x.size(0),
                              .features = operand.x.size(1) * operand.x.size(2)},
                             q);
    }
  };
  each(table.absmax_tokens);
  nn::launch_cuda_kernel(table.attention_scales, scales, q);
  each(table.quantise_tokens);
  const at::Tensor out = out_like(q);
  arguments.q = operands[0].out.const_data_ptr();
  arguments.k = operands[1].out.const_data_ptr();
  arguments.v = operands[2].out.const_data_ptr();
  arguments.out = out.mutable_data_ptr();
  nn::launch_fp8_attention(arguments, q);
  return one_scale(out, numbers[2]);
}

Rows plain_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const auto scale_of = [](const at::Tensor& x) {
    return detail::row_scale(x.abs().amax().to(at::kFloat), detail::kLargestE4m3);
  };
  const auto rounded = [&](const at::Tensor& x) {
    const at::Tensor scale = scale_of(x);
    return ((x.to(at::kFloat) / scale).to(at::kFloat8_e4m3fn).to(at::kFloat) * scale).to(q.scalar_type()).unsqueeze(0);
  };
  const at::Tensor out = nn::attention(rounded(q), rounded(k - mean_of_tokens(k)), rounded(v))[0];
  const at::Tensor scale = scale_of(v);
  return one_scale((out.to(at::kFloat) / scale).to(at::kFloat8_e4m3fn), scale);
}

}  // namespace

Rows attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const std::int64_t workspace = nn::fp8_attention_workspace(arguments_of(q, k), q);
  if (workspace >= 0) return plugin_attention(q, k, v, workspace);
  return plain_attention(q, k, v);
}

bool attention_fits(const at::Tensor& q, const at::Tensor& k) {
  return q.is_cpu() || nn::fp8_attention_workspace(arguments_of(q, k), q) >= 0;
}

}  // namespace reelfarm::quant

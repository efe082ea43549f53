#include "pipeline/nn/norm.hpp"

#include "pipeline/nn/cuda_kernels.hpp"
#include "pipeline/nn/parameter_reader.hpp"

namespace reelfarm::nn {
namespace {

bool plugin_takes(const at::Tensor& x) {
  return x.is_cuda() && cuda_kernels() != nullptr && x.dim() == 2 && x.is_contiguous() && x.size(1) % 2 == 0 &&
         x.size(1) <= cuda::kMaxFeatures && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

void launch(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift, double eps, const at::Tensor& out,
            float* row_scales) {
  launch_cuda_kernel(cuda_kernels()->modulated_layer_norm,
                     {.x = x.const_data_ptr(),
                      .out = out.mutable_data_ptr(),
                      .scale = scale.const_data_ptr(),
                      .shift = shift.const_data_ptr(),
                      .row_scales = row_scales,
                      .rows = x.size(0),
                      .features = x.size(1),
                      .eps = static_cast<float>(eps),
                      .element = x.scalar_type() == at::kFloat ? cuda::Element::f32 : cuda::Element::bf16,
                      .eight_bits = out.scalar_type() == at::kChar ? cuda::Element::i8 : cuda::Element::e4m3},
                     x);
}

}  // namespace

at::Tensor layer_norm(const at::Tensor& x, double eps) {
  return at::layer_norm(x, {x.size(-1)}, {}, {}, eps);
}

at::Tensor modulated_layer_norm(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift, double eps) {
  if (!plugin_takes(x)) return at::layer_norm(x, {x.size(-1)}, scale, shift, eps);
  at::Tensor out = at::empty_like(x);
  launch(x, scale, shift, eps, out, nullptr);
  return out;
}

bool modulated_layer_norm_8_bits(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift, double eps,
                                 const at::Tensor& out, const at::Tensor& row_scales) {
  if (!plugin_takes(x)) return false;
  launch(x, scale, shift, eps, out, row_scales.mutable_data_ptr<float>());
  return true;
}

LayerNorm::LayerNorm(const ParameterReader& reader, std::int64_t features, double eps)
    : weight_(reader.tensor("weight", {features})), bias_(reader.tensor("bias", {features})), eps_(eps) {}

at::Tensor LayerNorm::operator()(const at::Tensor& x) const {
  return at::layer_norm(x, {weight_.size(0)}, weight_, bias_, eps_);
}

RmsNorm::RmsNorm(const ParameterReader& reader, std::int64_t features, double eps)
    : weight_(reader.tensor("weight", {features})), eps_(eps) {}

at::Tensor RmsNorm::operator()(const at::Tensor& x) const {
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor scale = at::rsqrt(at::mean(wide * wide, {-1}, /*keepdim=*/true) + eps_);
  return (wide * scale).to(x.scalar_type()) * weight_;
}

}  // namespace reelfarm::nn

#include "pipeline/nn/norm.hpp"

#include "pipeline/nn/parameter_reader.hpp"

namespace reelfarm::nn {

at::Tensor layer_norm(const at::Tensor& x, double eps) {
  return at::layer_norm(x, {x.size(-1)}, {}, {}, eps);
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

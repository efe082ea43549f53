#include "pipeline/nn/linear.hpp"

#include "pipeline/nn/parameter_reader.hpp"

namespace reelfarm::nn {

Linear::Linear(const ParameterReader& reader, std::int64_t in_features, std::int64_t out_features, bool bias)
    : weight_(reader.tensor("weight", {out_features, in_features})) {
  if (bias) bias_ = reader.tensor("bias", {out_features});
}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  return at::linear(x, weight_, bias_);
}

std::vector<at::Tensor*> Linear::parameters() {
  return bias_.defined() ? std::vector<at::Tensor*>{&weight_, &bias_} : std::vector<at::Tensor*>{&weight_};
}

void Linear::into(at::Tensor out, const at::Tensor& x) const {
  if (bias_.defined()) {
    at::addmm_out(out, bias_, x, weight_.t());
  } else {
    at::mm_out(out, x, weight_.t());
  }
}

}  // namespace reelfarm::nn

#include "tests/dit/reference_case.hpp"

#include "pipeline/nn/parameter_reader.hpp"

namespace reelfarm::dit::testing {

at::Tensor read_tensor(const std::shared_ptr<const weights::TensorSource>& source, const std::string& name) {
  const nn::ParameterReader reader(source, {c10::kCPU, at::kFloat});
  return reader.tensor(name, reader.shape(name));
}

ReferenceCase::ReferenceCase(const std::string& name)
    : folder_(std::string(REELFARM_REFERENCE_DIR) + "/dit/" + name),
      config_(DitConfig::from_file(folder_ + "/transformer/config.json")),
      data_(weights::TensorSource::open(folder_ + "/data.safetensors")) {}

Transformer ReferenceCase::transformer(at::ScalarType dtype, c10::Device device) const {
  return Transformer(nn::ParameterReader(weights::TensorSource::open(folder_ + "/transformer"), {device, dtype}),
                     config_);
}

at::Tensor ReferenceCase::tensor(const std::string& name) const {
  return read_tensor(data_, name);
}

std::optional<float> ReferenceCase::guidance() const {
  if (!config_.guidance) return std::nullopt;
  return tensor("guidance").item<float>();
}

std::optional<LatentCondition> ReferenceCase::condition() const {
  if (config_.condition == ImageCondition::none) return std::nullopt;
  return LatentCondition::prefix(tensor("condition"), tensor("noise").size(2));
}

double relative_error(const at::Tensor& found, const at::Tensor& expected) {
  const at::Tensor wide = expected.to(at::kDouble);
  return ((found.to(at::kDouble) - wide).norm() / wide.norm()).item<double>();
}

VelocityModel velocity_of(const Transformer& transformer, const TokenLayout& layout, const Prepared& prepared) {
  return [&](const at::Tensor& input, int step) { return transformer.forward(input, layout, prepared, step); };
}

}  // namespace reelfarm::dit::testing

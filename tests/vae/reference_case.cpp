#include "tests/vae/reference_case.hpp"

#include "pipeline/nn/parameter_reader.hpp"

namespace reelfarm::vae {

ReferenceCase::ReferenceCase(const std::string& name)
    : folder_(std::filesystem::path(REELFARM_REFERENCE_DIR) / "vae" / name),
      data_(weights::TensorSource::open(folder_ / "data.safetensors")) {}

std::unique_ptr<CausalVae> ReferenceCase::open(const nn::Placement& placement) const {
  return CausalVae::open(folder_ / "vae", placement);
}

std::vector<std::string> ReferenceCase::results(const std::string& kind) const {
  std::vector<std::string> found;
  for (const std::string& name : data_->names()) {
    if (name.starts_with(kind + "/")) found.push_back(name.substr(kind.size() + 1));
  }
  return found;
}

at::Tensor ReferenceCase::tensor(const std::string& name) const {
  const nn::ParameterReader reader(data_, nn::Placement{});
  return reader.tensor(name, reader.shape(name));
}

at::Tensor ReferenceCase::input(const std::string& kind, const std::string& result) const {
  return tensor((kind == "decode" ? "latents/" : "video/") + result.substr(result.find('/') + 1));
}

double relative_error(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return std::numeric_limits<double>::infinity();
  const at::Tensor wide = b.to(at::kDouble);
  return ((a.to(at::kDouble) - wide).norm() / wide.norm()).item<double>();
}

}  // namespace reelfarm::vae

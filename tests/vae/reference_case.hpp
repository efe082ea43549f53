#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "pipeline/nn/placement.hpp"
#include "pipeline/vae/causal_vae.hpp"
#include "pipeline/weights/tensor_source.hpp"

namespace reelfarm::vae {

/// One folder of tests/reference/vae.py: a VAE in diffusers' layout with inputs and diffusers' results.
class ReferenceCase {
 public:
  explicit ReferenceCase(const std::string& name);

  std::unique_ptr<CausalVae> open(const nn::Placement& placement) const;
  /// "PLAN/SIZE" of every result of this kind, "decode" or "encode".
  std::vector<std::string> results(const std::string& kind) const;
  /// A stored fp32 tensor.
  at::Tensor tensor(const std::string& name) const;
  /// latents/SIZE or video/SIZE, the input of a result "PLAN/SIZE".
  at::Tensor input(const std::string& kind, const std::string& result) const;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
  std::shared_ptr<const weights::TensorSource> data_;
};

/// |a - b| / |b| over all elements.
double relative_error(const at::Tensor& a, const at::Tensor& b);

}  // namespace reelfarm::vae

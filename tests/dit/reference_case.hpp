#pragma once

#include <memory>
#include <string>

#include <ATen/core/Tensor.h>

#include "pipeline/dit/denoiser.hpp"
#include "pipeline/dit/transformer.hpp"
#include "pipeline/weights/tensor_source.hpp"

namespace reelfarm::dit::testing {

/// The cases of tests/reference/dit.py, one folder each.
inline constexpr const char* kCases[] = {"t2v",          "t2v_wide",      "t2i",
                                         "concat",       "concat_prefix", "concat_one_word",
                                         "replace",      "replace_wide",  "replace_no_guidance",
                                         "t2v_split",    "concat_split",  "concat_four_split",
                                         "replace_split"};

/// One folder of the reference data.
class ReferenceCase {
 public:
  explicit ReferenceCase(const std::string& name);

  const DitConfig& config() const { return config_; }
  Transformer transformer(at::ScalarType dtype = at::kFloat, c10::Device device = c10::kCPU) const;
  at::Tensor tensor(const std::string& name) const;
  TextCondition text() const { return {tensor("states"), tensor("pooled")}; }
  std::optional<float> guidance() const;
  std::optional<LatentCondition> condition() const;

 private:
  std::string folder_;
  DitConfig config_;
  std::shared_ptr<const weights::TensorSource> data_;
};

/// A tensor of a safetensors file, in fp32.
at::Tensor read_tensor(const std::shared_ptr<const weights::TensorSource>& source, const std::string& name);

/// |found - expected| / |expected|, norms over all elements.
double relative_error(const at::Tensor& found, const at::Tensor& expected);

/// The forward of a transformer as the denoise loop wants it.
VelocityModel velocity_of(const Transformer& transformer, const TokenLayout& layout, const Prepared& prepared);

}  // namespace reelfarm::dit::testing

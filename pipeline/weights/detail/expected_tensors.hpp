#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/weights/config.hpp"
#include "pipeline/weights/tensor_source.hpp"

namespace reelfarm::weights::detail {

/// Names and shapes of the tensors that a model with a certain configuration has.
class ExpectedTensors {
 public:
  using Shape = std::vector<std::int64_t>;

  void tensor(const std::string& name, Shape shape) { shapes_[name] = std::move(shape); }
  /// weight (out, in) and, unless told otherwise, bias (out)
  void linear(const std::string& name, std::int64_t in, std::int64_t out, bool bias = true);
  /// weight and bias (size)
  void norm(const std::string& name, std::int64_t size);
  /// weight (out, in, t, k, k) and bias (out)
  void conv3d(const std::string& name, std::int64_t in, std::int64_t out, std::int64_t t, std::int64_t k);

  /// What differs, one line each: missing tensors, wrong shapes, and unknown names when `only_these`.
  std::vector<std::string> differences(const TensorSource& source, bool only_these) const;

  const std::map<std::string, Shape>& shapes() const { return shapes_; }

 private:
  std::map<std::string, Shape> shapes_;
};

/// HunyuanVideoTransformer3DModel of diffusers.
ExpectedTensors expected_transformer(const Config& config);

/// AutoencoderKLHunyuanVideo of diffusers.
ExpectedTensors expected_vae(const Config& config);

/// LlamaModel, LlavaForConditionalGeneration or CLIPTextModel of transformers, under the prefixes that the weights use:
/// versions of transformers differ in them. `names` are those in the weights.
ExpectedTensors expected_text_encoder(const std::string& class_name, const Config& config,
                                      const std::vector<std::string>& names);

}  // namespace reelfarm::weights::detail

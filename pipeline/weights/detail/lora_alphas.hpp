#pragma once

#include <map>
#include <optional>
#include <string>

#include "pipeline/weights/tensor_file.hpp"

namespace reelfarm::weights::detail {

/// What PEFT and diffusers keep in a safetensors file's metadata (lora_adapter_metadata) instead of a tensor for each
/// layer: lora_alpha, alpha_pattern and use_rslora. Names of layers in patterns are taken as they are or as endings,
/// not as regular expressions.
class LoraAlphas {
 public:
  /// Throws WeightError for metadata that are not JSON, and for use_dora, which is not read.
  explicit LoraAlphas(const TensorFile& file);

  /// alpha / rank (or its root) of a layer, `own` being its tensor in the file; 1 where nothing says anything.
  double factor(const std::string& module, std::optional<double> own, std::int64_t rank) const;

 private:
  std::optional<double> alpha_;
  std::map<std::string, double> patterns_;
  bool root_ = false;
};

}  // namespace reelfarm::weights::detail

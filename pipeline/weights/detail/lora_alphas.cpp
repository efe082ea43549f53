#include "pipeline/weights/detail/lora_alphas.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "pipeline/weights/detail/strict_json.hpp"
#include "pipeline/weights/safetensors.hpp"

namespace reelfarm::weights::detail {

LoraAlphas::LoraAlphas(const TensorFile& file) {
  const auto* safetensors = dynamic_cast<const SafetensorsFile*>(&file);
  if (safetensors == nullptr) return;
  const auto text = safetensors->metadata().find("lora_adapter_metadata");
  if (text == safetensors->metadata().end()) return;
  const std::string what = "weights: " + file.path().string() + ": lora_adapter_metadata";
  const nlohmann::json settings = parse_strict_json(text->second, what);
  if (!settings.is_object()) throw WeightError(what + ": expected an object, found " + shown(settings));
  // Those of text encoders begin with their own names.
  const auto setting = [&](const std::string& name) {
    for (const std::string& key : {"transformer." + name, name})
      if (const auto it = settings.find(key); it != settings.end()) return *it;
    return nlohmann::json();
  };
  if (const auto alpha = setting("lora_alpha"); alpha.is_number()) alpha_ = alpha.get<double>();
  if (const auto root = setting("use_rslora"); root.is_boolean()) root_ = root.get<bool>();
  if (setting("use_dora") == true) throw WeightError(what + ": use_dora: DoRA is not read");
  const auto patterns = setting("alpha_pattern");
  if (!patterns.is_object()) return;
  for (const auto& item : patterns.items())
    if (item.value().is_number()) patterns_.emplace(item.key(), item.value().get<double>());
}

double LoraAlphas::factor(const std::string& module, std::optional<double> own, std::int64_t rank) const {
  std::optional<double> alpha = own ? own : alpha_;
  if (!own)
    for (const auto& [pattern, value] : patterns_)
      if (module == pattern || module.ends_with("." + pattern)) alpha = value;
  if (!alpha) return 1.0;
  const auto ranks = static_cast<double>(rank);
  return *alpha / (root_ && !own ? std::sqrt(ranks) : ranks);
}

}  // namespace reelfarm::weights::detail

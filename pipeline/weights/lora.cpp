#include "pipeline/weights/lora.hpp"

#include <charconv>
#include <cmath>
#include <map>
#include <sstream>

#include "pipeline/weights/detail/add_low_rank.hpp"
#include "pipeline/weights/detail/digest_cache.hpp"
#include "pipeline/weights/detail/lora_layers.hpp"
#include "pipeline/weights/detail/name_list.hpp"
#include "pipeline/weights/detail/strict_json.hpp"
#include "pipeline/weights/detail/weight_kind.hpp"

namespace reelfarm::weights {
namespace {

namespace fs = std::filesystem;
using detail::LoraLayer;
using detail::LowRank;

bool is_there(const fs::path& file) {
  std::error_code ignored;
  return fs::exists(file, ignored);
}

std::string shape_text(const TensorInfo& tensor) {
  return detail::shown(nlohmann::json(tensor.shape));
}

/// Adds the products of one file to those of each weight.
class Laying {
 public:
  explicit Laying(const std::vector<TensorInfo>& transformer) {
    for (const TensorInfo& tensor : transformer) weights_.emplace(tensor.name, &tensor);
  }

  void lay(const Lora& lora) {
    const std::shared_ptr<const TensorFile> file = TensorFile::open(lora.file);
    std::vector<TensorInfo> tensors;
    for (const auto& [name, tensor] : weights_) tensors.push_back(*tensor);
    const detail::LoraLayers read = detail::lora_layers(*file, tensors);
    detail::NameList misfits;
    for (const LoraLayer& layer : read.layers) {
      const std::string misfit = misfit_of(layer);
      if (misfit.empty())
        add(layer, lora, file);
      else
        misfits.add(misfit);
    }
    if (!misfits.empty())
      throw WeightError(
          "weights: " + lora.file.string() + ": taken for " + read.form + "; " + std::to_string(misfits.size()) +
          " layers do not fit this transformer (was it made for another size or variant?): " + misfits.text());
  }

  /// `weight`, and what stands beside it.
  std::vector<TensorInfo> laid(const TensorInfo& weight) const {
    const auto added = added_.find(weight.name), apart = apart_.find(weight.name);
    std::vector<TensorInfo> made{added == added_.end() ? weight : detail::with_low_rank(weight, added->second)};
    if (apart == apart_.end()) return made;
    for (TensorInfo& factor : detail::stacked_low_rank(weight, apart->second)) made.push_back(std::move(factor));
    return made;
  }

 private:
  std::int64_t rows_of(const LoraLayer& layer) const {
    std::int64_t rows = 0;
    for (const std::string& name : layer.rule.ours) rows += weights_.at(name)->shape[0];
    return rows;
  }

  std::string misfit_of(const LoraLayer& layer) const {
    const TensorInfo& weight = *weights_.at(layer.rule.ours[0]);
    const auto columns = static_cast<std::int64_t>(weight.element_count()) / weight.shape[0];
    const auto found = static_cast<std::int64_t>(layer.down.element_count()) / layer.down.shape[0];
    if (layer.up.shape[0] == rows_of(layer) && found == columns) return {};
    return layer.name + " (" + shape_text(layer.up) + " x " + shape_text(layer.down) + " for " +
           std::to_string(rows_of(layer)) + " x " + std::to_string(columns) + ")";
  }

  void add(const LoraLayer& layer, const Lora& lora, const std::shared_ptr<const TensorFile>& file) {
    for (TensorInfo& up : detail::cut(layer.up, layer.rule, weights_.at(layer.rule.ours[0])->shape[0])) {
      const std::string name = up.name;
      up.name = layer.up.name;  // for messages: as in the file
      const bool apart = lora.apart && detail::kind_of(name, up.shape.size()) == detail::WeightKind::product;
      (apart ? apart_ : added_)[name].push_back({std::move(up), layer.down, lora.scale * layer.factor, file});
    }
  }

  std::map<std::string, const TensorInfo*> weights_;
  std::map<std::string, std::vector<LowRank>> added_, apart_;
};

}  // namespace

Lora parse_lora(const std::string& text) {
  if (is_there(text)) return {text, 1.0};
  Lora lora{text, 1.0};
  const std::size_t colon = text.rfind(':');
  if (colon != std::string::npos) {
    const char *begin = text.data() + colon + 1, *end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(begin, end, lora.scale);
    if (error != std::errc() || stopped != end || !std::isfinite(lora.scale))
      throw WeightError("weights: --lora " + text + ": no such file, and \"" + std::string(begin, end) +
                        "\" is no scale; expected FILE or FILE:scale, such as style.safetensors:0.8");
    lora.file = text.substr(0, colon);
  }
  if (!is_there(lora.file)) throw WeightError("weights: --lora " + text + ": no such file");
  return lora;
}

std::vector<Lora> parse_loras(const std::vector<std::string>& texts) {
  std::vector<Lora> loras;
  for (const std::string& text : texts) loras.push_back(parse_lora(text));
  return loras;
}

std::vector<TensorInfo> with_loras(const std::vector<TensorInfo>& transformer, const std::vector<Lora>& loras) {
  Laying laying(transformer);
  for (const Lora& lora : loras) laying.lay(lora);
  std::vector<TensorInfo> made;
  for (const TensorInfo& tensor : transformer) {
    for (TensorInfo& laid : laying.laid(tensor)) made.push_back(std::move(laid));
  }
  return made;
}

std::string identity_of(const std::vector<Lora>& loras, const fs::path& cache_file) {
  detail::DigestCache cache(cache_file);
  std::ostringstream text;
  text.precision(17);
  for (const Lora& lora : loras)
    text << cache.digest_of(lora.file) << " " << lora.scale << (lora.apart ? " apart\n" : "\n");
  cache.save();
  return text.str();
}

}  // namespace reelfarm::weights

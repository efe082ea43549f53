#include "pipeline/weights/detail/lora_layers.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "pipeline/weights/detail/layer_count.hpp"
#include "pipeline/weights/detail/lora_alphas.hpp"
#include "pipeline/weights/detail/name_list.hpp"
#include "pipeline/weights/detail/other_models.hpp"
#include "pipeline/weights/detail/published.hpp"
#include "pipeline/weights/detail/widen.hpp"

namespace reelfarm::weights::detail {
namespace {

enum class Factor { up, down, alpha };

struct Ending {
  std::string_view text;
  Factor factor;
};

// kohya's and ComfyUI's, PEFT's (with the name of its adapter or without), and those of old diffusers.
constexpr Ending kEndings[] = {{".lora_up.weight", Factor::up},
                               {".lora_down.weight", Factor::down},
                               {".lora_B.weight", Factor::up},
                               {".lora_A.weight", Factor::down},
                               {".lora_B.default.weight", Factor::up},
                               {".lora_A.default.weight", Factor::down},
                               {".lora.up.weight", Factor::up},
                               {".lora.down.weight", Factor::down},
                               {".lora_linear_layer.up.weight", Factor::up},
                               {".lora_linear_layer.down.weight", Factor::down},
                               {".alpha", Factor::alpha}};

constexpr std::string_view kKohya = "lora_unet_";

/// kohya's names are the module's with underscores for dots, so that all are looked up so.
std::string flat(std::string name) {
  std::ranges::replace(name, '.', '_');
  return name;
}

/// The module's name without what its trainer puts before it.
std::string module_of(std::string_view name) {
  if (name.starts_with(kKohya)) return std::string(name.substr(kKohya.size()));
  constexpr std::string_view kPeft = "base_model.";
  if (name.starts_with(kPeft)) name.remove_prefix(kPeft.size());
  return unwrapped(std::string(name));
}

bool is_weight(const TensorInfo& tensor) {
  return tensor.name.ends_with(".weight") && tensor.shape.size() >= 2 && can_widen(tensor.dtype);
}

std::string module_name(std::string_view tensor) {
  return std::string(tensor.substr(0, tensor.size() - std::string_view(".weight").size()));
}

/// Every module of the transformer that a LoRA can change, under all names that it is published with.
std::map<std::string, KeyRule> modules_of(const std::vector<TensorInfo>& transformer) {
  std::vector<std::string> names;
  std::map<std::string, KeyRule> modules;
  for (const TensorInfo& tensor : transformer) {
    names.push_back(tensor.name);
    if (is_weight(tensor)) modules.emplace(flat(module_name(tensor.name)), KeyRule{{tensor.name}});
  }
  const LayerCounts layers{count_layers(names, "transformer_blocks."),
                           count_layers(names, "single_transformer_blocks."),
                           count_layers(names, "context_embedder.token_refiner.refiner_blocks.")};
  for (const TransformerNames scheme : {TransformerNames::tencent, TransformerNames::comfy}) {
    for (const auto& [name, rule] : transformer_keys(scheme, layers)) {
      if (!name.ends_with(".weight") || !modules.contains(flat(module_name(rule.ours[0])))) continue;
      KeyRule made = rule;
      if (made.cut == Cut::patch) made.cut = Cut::whole;  // the rows of `up` are the model's width already
      modules.emplace(flat(module_name(name)), std::move(made));
    }
  }
  return modules;
}

class Reading {
 public:
  Reading(const TensorFile& file, const std::vector<TensorInfo>& transformer)
      : file_(file), modules_(modules_of(transformer)), alphas_(file) {
    for (const TensorInfo& tensor : transformer)
      if (tensor.name.ends_with(".weight")) model_.push_back(module_name(tensor.name));
  }

  LoraLayers run() {
    for (const TensorInfo& tensor : file_.tensors()) sort(tensor);
    LoraLayers made{form(), {}};
    for (auto& [name, found] : found_) {
      if (found.up == nullptr || found.down == nullptr) {
        alone_.add(name);
        continue;
      }
      const auto rule = modules_.find(flat(module_of(name)));
      if (rule == modules_.end())
        unknown_.add(name);
      else
        made.layers.push_back(layer(name, found, rule->second));
    }
    report(made);
    return made;
  }

 private:
  struct Found {
    const TensorInfo *up = nullptr, *down = nullptr;
    std::optional<double> alpha;
  };

  void sort(const TensorInfo& tensor) {
    for (const auto& [ending, factor] : kEndings) {
      if (!tensor.name.ends_with(ending)) continue;
      const std::string name = tensor.name.substr(0, tensor.name.size() - ending.size());
      Found& found = found_[name];
      if (factor == Factor::alpha) {
        const std::vector<float> value = floats(tensor, what() + ": tensor " + tensor.name);
        if (value.size() != 1 || !std::isfinite(value[0]))
          throw WeightError(what() + ": tensor " + tensor.name + ": expected one finite number");
        found.alpha = value[0];
        return;
      }
      endings_[std::string(ending)] += 1;
      const TensorInfo*& place = factor == Factor::up ? found.up : found.down;
      if (place != nullptr) doubled_.add(name);
      place = &tensor;
      return;
    }
    unread_.add(tensor.name);
  }

  LoraLayer layer(const std::string& name, const Found& found, const KeyRule& rule) {
    LoraLayer made{name, rule, *found.up, *found.down};
    const std::vector<std::int64_t>&up = made.up.shape, &down = made.down.shape;
    const bool factors = up.size() >= 2 && down.size() >= 2 && down[0] > 0 && up[1] == down[0] &&
                         made.up.element_count() == static_cast<std::uint64_t>(up[0] * up[1]);
    if (!factors) {
      misshapen_.add(name);
      return made;
    }
    made.factor = alphas_.factor(module_of(name), found.alpha, down[0]);
    return made;
  }

  std::string what() const { return "weights: " + file_.path().string(); }

  std::string form() const {
    const auto all_begin = [&](std::string_view beginning) {
      return !found_.empty() &&
             std::ranges::all_of(found_, [&](const auto& item) { return item.first.starts_with(beginning); });
    };
    std::string text = "a LoRA with ";
    text += all_begin(kKohya)               ? "kohya's names (lora_unet_*"
            : all_begin("diffusion_model.") ? "ComfyUI's names (diffusion_model.*"
            : all_begin("transformer.")     ? "diffusers' names (transformer.*"
            : all_begin("base_model.")      ? "PEFT's names (base_model.*"
                                            : "bare names (*";
    const auto most = std::ranges::max_element(endings_, {}, [](const auto& item) { return item.second; });
    return text + (most == endings_.end() ? "" : most->first) + ")";
  }

  void report(const LoraLayers& made) {
    std::string text;
    const auto say = [&text](const NameList& list, const char* problem) {
      if (!list.empty()) text += "; " + std::to_string(list.size()) + " " + problem + ": " + list.text();
    };
    say(unknown_, "unknown layers");
    say(alone_, "layers with one factor and not the other");
    say(doubled_, "doubled layers");
    say(misshapen_, "layers whose factors do not fit each other");
    say(unread_, "tensors that are no factor of a LoRA (LoKr, LoHa, DoRA and differences are not read)");
    std::vector<std::string> names;
    for (const auto& [name, found] : found_) names.push_back(module_of(name));
    const std::string other = lora_looks_like(names, model_);
    if (text.empty() && made.layers.empty()) text = "; it has no layers";
    if (!other.empty()) text += "; it looks like one for " + other;
    if (!text.empty()) throw WeightError(what() + ": taken for " + made.form + text);
  }

  const TensorFile& file_;
  std::map<std::string, KeyRule> modules_;
  LoraAlphas alphas_;
  std::vector<std::string> model_;
  std::map<std::string, Found> found_;
  std::map<std::string, int> endings_;
  NameList unknown_, alone_, doubled_, misshapen_, unread_;
};

}  // namespace

LoraLayers lora_layers(const TensorFile& file, const std::vector<TensorInfo>& transformer) {
  return Reading(file, transformer).run();
}

}  // namespace reelfarm::weights::detail

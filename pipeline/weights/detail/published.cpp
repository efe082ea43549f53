#include "pipeline/weights/detail/published.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "pipeline/weights/detail/key_map.hpp"
#include "pipeline/weights/detail/layer_count.hpp"
#include "pipeline/weights/detail/name_list.hpp"
#include "pipeline/weights/detail/other_models.hpp"
#include "pipeline/weights/detail/scaled_weights.hpp"
#include "pipeline/weights/detail/strict_json.hpp"

namespace reelfarm::weights {

std::string WeightForm::description() const {
  std::string text = part == Part::transformer ? "a transformer" : part == Part::vae ? "a VAE" : "tensors";
  if (overlay) text = "a part of a transformer, to be laid over another (Magic 1-For-1's form),";
  text += " with " + names + " names";
  for (std::size_t i = 0; i < wrappers.size(); ++i) text += (i == 0 ? " under " : ", ") + wrappers[i];
  return text + (scaled ? ", 8-bit weights with scales" : "");
}

namespace detail {
namespace {

using Part = WeightForm::Part;

constexpr std::string_view kRefiner = "txt_in.individual_token_refiner.blocks.0.";
constexpr std::string_view kOurRefiner = "context_embedder.token_refiner.refiner_blocks.0.";

// Longer ones first where one begins as another does.
constexpr std::array<std::string_view, 8> kWrappers{"hydit_unimodel.guidance_model.feedforward_model.",
                                                    "model.diffusion_model.",
                                                    "diffusion_model.",
                                                    "model.model.",
                                                    "state_dict.",
                                                    "module.",
                                                    "model.",
                                                    "transformer."};
constexpr std::array<std::string_view, 2> kVaeWrappers{"first_stage_model.", "vae."};
// Parts that stand beside a transformer in one file.
constexpr std::array<std::string_view, 4> kOtherParts{"vae.", "first_stage_model.", "text_encoders.",
                                                      "cond_stage_model."};

/// Takes one of the wrappers off; empty when none is there.
template <std::size_t count>
std::string_view take_wrapper(std::string_view& name, const std::array<std::string_view, count>& wrappers) {
  for (const std::string_view wrapper : wrappers)
    if (name.starts_with(wrapper)) {
      name.remove_prefix(wrapper.size());
      return wrapper;
    }
  return {};
}

/// Calls `seen` with every wrapper that it takes off.
template <typename Seen>
std::string_view strip(std::string_view name, bool vae, Seen seen) {
  for (;;) {
    std::string_view wrapper = take_wrapper(name, kWrappers);
    if (wrapper.empty() && vae) wrapper = take_wrapper(name, kVaeWrappers);
    if (wrapper.empty()) return name;
    seen(wrapper);
  }
}

std::size_t hits(const KeyMap& map, const std::vector<std::string>& names) {
  return static_cast<std::size_t>(std::ranges::count_if(names, [&](const auto& name) { return map.contains(name); }));
}

struct Recognised {
  WeightForm form;
  KeyMap map;  // empty: the names are those of diffusers already
};

bool begins(const std::vector<std::string>& names, std::string_view beginning) {
  return std::ranges::any_of(names, [&](const std::string& name) { return name.starts_with(beginning); });
}

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

/// `names` are unwrapped.
Recognised recognise_transformer(const std::vector<std::string>& names, bool overlay) {
  const LayerCounts layers{count_layers(names, "double_blocks."), count_layers(names, "single_blocks."),
                           count_layers(names, "txt_in.individual_token_refiner.blocks.")};
  KeyMap tencent = transformer_keys(TransformerNames::tencent, layers);
  KeyMap comfy = transformer_keys(TransformerNames::comfy, layers);
  const std::size_t tencent_hits = hits(tencent, names), comfy_hits = hits(comfy, names);
  Recognised found;
  if (std::max(tencent_hits, comfy_hits) == 0 || (!begins(names, kRefiner) && !overlay)) return found;
  found.form.part = Part::transformer;
  found.form.names = comfy_hits > tencent_hits ? "ComfyUI" : "Tencent";
  found.map = std::move(comfy_hits > tencent_hits ? comfy : tencent);
  return found;
}

Recognised recognise_vae(const std::vector<std::string>& names) {
  Recognised found;
  found.form.part = Part::vae;
  if (has(names, "decoder.mid.block_1.conv1.conv.weight")) {
    found.form.names = "latent diffusion";
    found.map =
        vae_keys(VaeNames::ldm, count_layers(names, "encoder.down."), count_layers(names, "encoder.down.0.block."));
  } else if (has(names, "decoder.mid_block.attentions.0.query.weight")) {
    found.form.names = "old diffusers";
    found.map = vae_keys(VaeNames::old_attention, count_layers(names, "encoder.down_blocks."),
                         count_layers(names, "encoder.down_blocks.0.resnets."));
  } else if (!has(names, "decoder.mid_block.resnets.0.conv1.conv.weight")) {
    found.form.part = Part::other;
  }
  return found;
}

class Translation {
 public:
  Translation(const std::vector<const TensorInfo*>& stored, const PublishedFile& file) : stored_(stored), file_(file) {}

  Published run() {
    recognise();
    if (found_.form.part == Part::other)
      keep_names();
    else
      unwrap();
    scale();
    rename();
    report();
    return {std::move(found_.form), std::move(made_)};
  }

 private:
  std::vector<std::string> names(bool vae) const {
    std::vector<std::string> names;
    for (const TensorInfo* tensor : stored_) names.emplace_back(strip(tensor->name, vae, [](std::string_view) {}));
    return names;
  }

  void recognise() {
    const std::vector<std::string> plain = names(false);
    // Magic 1-For-1's loader takes what is there over a base: "state_dict", or the names of its trainer.
    const bool overlay = std::ranges::any_of(stored_, [](const TensorInfo* tensor) {
      return tensor->name.starts_with("state_dict.") || tensor->name.starts_with("hydit_unimodel.");
    });
    if (begins(plain, kOurRefiner)) {
      found_.form.part = Part::transformer;
      return;
    }
    found_ = recognise_transformer(plain, overlay);
    if (found_.form.part == Part::transformer) {
      found_.form.overlay = overlay;
      return;
    }
    found_ = recognise_vae(names(true));
  }

  void keep_names() {
    for (const TensorInfo* tensor : stored_) tensors_.emplace(tensor->name, *tensor);
  }

  bool is_of_another_part(std::string_view name) const {
    if (found_.form.part != Part::transformer) return false;
    return std::ranges::any_of(kOtherParts, [&](std::string_view part) { return name.starts_with(part); });
  }

  void unwrap() {
    std::set<std::string, std::less<>> wrappers;
    for (const TensorInfo* tensor : stored_) {
      const std::string_view outer = strip(tensor->name, false, [](std::string_view) {});
      if (is_of_another_part(outer)) {
        found_.form.aside.push_back(tensor->name);
        continue;
      }
      const std::string_view name =
          strip(tensor->name, found_.form.part == Part::vae, [&](std::string_view seen) { wrappers.emplace(seen); });
      if (!tensors_.emplace(name, *tensor).second) doubled_.add(name);
    }
    found_.form.wrappers.assign(wrappers.begin(), wrappers.end());
  }

  void scale() {
    found_.form.scaled = apply_comfy_scales(tensors_, file_.what);
    if (file_.scale_map != nullptr) {
      apply_scale_map(tensors_, *file_.scale_map, file_.what);
      found_.form.scaled = true;
    } else if (file_.wants_scales && !found_.form.scaled && found_.form.part == Part::transformer &&
               std::ranges::any_of(tensors_, [](const auto& item) { return item.second.dtype == DType::f8_e4m3; })) {
      throw WeightError(file_.what + ": " + found_.form.description() +
                        ", in fp8 without scales; they are in a second file, which Tencent publishes as *_map.pt: put "
                        "it beside this one");
    }
  }

  std::int64_t width() const {
    const auto bias = tensors_.find("img_in.proj.bias");
    if (bias != tensors_.end() && bias->second.shape.size() == 1) return bias->second.shape[0];
    // A part of a transformer may lack it; the columns of any linear1 are as many.
    for (const auto& [name, tensor] : tensors_)
      if (name.ends_with("linear1.weight") && tensor.shape.size() == 2) return tensor.shape[1];
    return 0;
  }

  void rename() {
    if (found_.map.empty()) {
      for (auto& [name, tensor] : tensors_) {
        tensor.name = name;
        made_.push_back(std::move(tensor));
      }
      return;
    }
    const std::int64_t columns = width();
    for (const auto& [name, tensor] : tensors_) {
      const auto rule = found_.map.find(name);
      if (rule == found_.map.end()) {
        unknown_.add(name);
        continue;
      }
      for (TensorInfo& part : cut(tensor, rule->second, columns)) made_.push_back(std::move(part));
    }
    if (found_.form.overlay && file_.overlays) return;
    for (const auto& [name, rule] : found_.map)
      if (!rule.optional && !tensors_.contains(name)) missing_.add(name);
  }

  void report() const {
    std::string text;
    const auto say = [&text](const NameList& list, const char* problem) {
      if (!list.empty()) text += "; " + std::to_string(list.size()) + " " + problem + ": " + list.text();
    };
    say(unknown_, "unknown");
    say(missing_, "missing");
    say(doubled_, "doubled");
    if (text.empty()) return;
    const std::string other = looks_like(names(false));
    if (!other.empty()) text += "; it looks like " + other;
    if (found_.form.overlay && !missing_.empty())
      text += "; lay it over a base: reelfarm bundle convert FILE --base BUNDLE --to DIR";
    throw WeightError(file_.what + ": taken for " + found_.form.description() + text);
  }

  const std::vector<const TensorInfo*>& stored_;
  const PublishedFile& file_;
  Recognised found_;
  NamedTensors tensors_;
  std::vector<TensorInfo> made_;
  NameList unknown_, missing_, doubled_;
};

}  // namespace

std::string unwrapped(const std::string& name) {
  return std::string(strip(name, true, [](std::string_view) {}));
}

Published from_published(const std::vector<const TensorInfo*>& stored, const PublishedFile& file) {
  return Translation(stored, file).run();
}

}  // namespace detail
}  // namespace reelfarm::weights

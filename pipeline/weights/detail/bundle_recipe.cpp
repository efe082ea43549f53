#include "pipeline/weights/detail/bundle_recipe.hpp"

#include <algorithm>

#include "pipeline/weights/detail/inferred_config.hpp"
#include "pipeline/weights/detail/name_list.hpp"
#include "pipeline/weights/detail/other_models.hpp"
#include "pipeline/weights/detail/published_folder.hpp"
#include "pipeline/weights/detail/strict_json.hpp"

namespace reelfarm::weights::detail {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Source = std::shared_ptr<const TensorSource>;

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// Collects the parts of one request.
class Planner {
 public:
  explicit Planner(const ConvertRequest& request) : request_(request) {}

  BundleRecipe run() {
    find_sources();
    if (!base_path_.empty()) base_ = Bundle::open(base_path_);
    take_from_base();
    take_transformer();
    take_loras();
    take_vae();
    take_text();
    take_scheduler();
    require_all();
    write_index();
    write_settings();
    return std::move(recipe_);
  }

 private:
  void find_sources() {
    base_path_ = request_.base;
    vae_ = request_.vae;
    text_ = request_.text_encoder;
    clip_ = request_.text_encoder_2;
    if (is_there(request_.source / "model_index.json")) {
      if (!base_path_.empty())
        throw WeightError("weights: " + request_.source.string() + " is a bundle of its own, and a base was given");
      base_path_ = request_.source;
      return;
    }
    if (const auto folder = published_folder(request_.source)) {
      transformer_ = TensorSource::open_overlay(folder->transformer);
      if (vae_.empty()) vae_ = folder->vae;
      if (text_.empty()) text_ = folder->text_encoder;
      if (clip_.empty()) clip_ = folder->text_encoder_2;
      return;
    }
    const Source source = TensorSource::open_overlay(request_.source);
    if (source->form().part == WeightForm::Part::transformer) {
      transformer_ = source;
    } else if (source->form().part == WeightForm::Part::vae) {
      vae_ = request_.source;
    } else {
      const std::string other = looks_like(source->names());
      throw WeightError("weights: " + request_.source.string() + " is no transformer and no VAE of HunyuanVideo" +
                        (other.empty() ? " (" + std::to_string(source->names().size()) + " tensors, the first is " +
                                             (source->names().empty() ? "none" : source->names().front()) + ")"
                                       : "; it looks like " + other));
    }
  }

  void take_from_base() {
    if (!base_) return;
    for (const std::string& component : base_->components()) {
      PlannedPart part;
      part.folder = base_->folder(component);
      const auto weighted = base_->weighted_components();
      if (std::ranges::find(weighted, component) != weighted.end()) part.source = base_->tensors(component);
      recipe_.parts.emplace(component, std::move(part));
    }
    classes_ = base_->classes();
  }

  /// config.json of a part of the base, when the tensors are those that it speaks of.
  std::optional<json> fitting_config(const std::string& part, const TensorSource& source) const {
    if (!base_ || !is_there(base_->folder(part) / "config.json")) return std::nullopt;
    const Config config = base_->config(part);
    try {
      require_fit(source, part, config);
    } catch (const WeightError&) {
      return std::nullopt;
    }
    return config.json();
  }

  void take_transformer() {
    if (!transformer_) return;
    PlannedPart part;
    part.source = transformer_;
    if (transformer_->form().overlay && !is_whole(*transformer_)) {
      const auto under = recipe_.parts.find("transformer");
      if (under == recipe_.parts.end() || under->second.source == nullptr)
        throw WeightError("weights: " + request_.source.string() + ": " + transformer_->form().description() +
                          "; give the bundle that it is to be laid over as --base");
      part.source = under->second.source;
      part.overlay = transformer_;
    }
    part.files["config.json"] = transformer_config(*part.source);
    recipe_.parts["transformer"] = std::move(part);
    classes_["transformer"] = "HunyuanVideoTransformer3DModel";
  }

  void take_loras() {
    if (request_.loras.empty()) return;
    const auto transformer = recipe_.parts.find("transformer");
    if (transformer == recipe_.parts.end()) return;
    transformer->second.change = [loras = request_.loras](const auto& tensors) { return with_loras(tensors, loras); };
  }

  static bool is_whole(const TensorSource& source) {
    return source.find("x_embedder.proj.weight") != nullptr && source.find("proj_out.weight") != nullptr &&
           source.find("context_embedder.proj_in.weight") != nullptr &&
           source.find("transformer_blocks.0.attn.norm_q.weight") != nullptr;
  }

  json transformer_config(const TensorSource& source) const {
    const auto condition = condition_of(source);
    const bool asked = !request_.variant.empty();
    if (asked && condition)
      throw WeightError("weights: " + request_.source.string() + ": these weights are " + *condition +
                        ", no variant can be chosen");
    const std::string chosen = request_.variant == "t2v" ? "none" : "token_replace";
    if (auto config = fitting_config("transformer", source)) {
      if (asked) (*config)["image_condition_type"] = chosen == "none" ? json(nullptr) : json(chosen);
      return *config;
    }
    if (!condition && !asked)
      throw WeightError("weights: " + request_.source.string() +
                        ": text-to-video and image-to-video by token replace have the same tensors; say which it is: "
                        "--variant t2v or --variant token-replace");
    json config = inferred_transformer(source, condition.value_or(chosen));
    require_fit(source, "transformer", Config(request_.source / "(its shapes)", config));
    return config;
  }

  void take_vae() {
    if (vae_.empty()) return;
    PlannedPart part;
    part.source = TensorSource::open(vae_);
    if (part.source->form().part != WeightForm::Part::vae)
      throw WeightError("weights: " + vae_.string() + " is no VAE of HunyuanVideo");
    if (auto config = fitting_config("vae", *part.source)) {
      part.files["config.json"] = std::move(*config);
    } else {
      part.files["config.json"] = inferred_vae(*part.source);
      require_fit(*part.source, "vae", Config(vae_ / "(its shapes)", part.files["config.json"]));
    }
    recipe_.parts["vae"] = std::move(part);
    classes_["vae"] = "AutoencoderKLHunyuanVideo";
  }

  void take_text() {
    for (auto& [folder, name] : {std::pair{text_, std::string("text_encoder")}, {clip_, "text_encoder_2"}}) {
      if (folder.empty()) continue;
      EncoderParts made = encoder_parts(folder, name);
      classes_[name] = made.class_name;
      for (auto& [part, planned] : made.parts) recipe_.parts[part] = std::move(planned);
    }
  }

  void take_scheduler() {
    if (recipe_.parts.contains("scheduler")) return;
    recipe_.parts["scheduler"].files["scheduler_config.json"] = {
        {"_class_name", "FlowMatchEulerDiscreteScheduler"}, {"num_train_timesteps", 1000}, {"shift", 7.0}};
  }

  void require_all() const {
    constexpr std::pair<const char*, const char*> kNeeded[] = {
        {"transformer", "the source, or --base BUNDLE"},
        {"vae", "--vae FILE, or --base BUNDLE"},
        {"text_encoder", "--text-encoder DIR, or --base BUNDLE"},
        {"tokenizer", "in that folder"},
        {"text_encoder_2", "--text-encoder-2 DIR, or --base BUNDLE"},
        {"tokenizer_2", "in that folder"}};
    std::string missing;
    for (const auto& [part, how] : kNeeded)
      if (!recipe_.parts.contains(part)) missing += std::string("\n  ") + part + ": " + how;
    if (!missing.empty())
      throw WeightError("weights: " + request_.source.string() +
                        " is not a whole bundle; what is missing and how to "
                        "give it:" +
                        missing);
  }

  void write_index() {
    const PlannedPart& transformer = recipe_.parts.at("transformer");
    const json config = transformer.files.contains("config.json") ? transformer.files.at("config.json")
                                                                  : base_->config("transformer").json();
    const json condition = config.value("image_condition_type", json(nullptr));
    if (base_ && transformer.files.empty()) {
      recipe_.index = Config::read(base_path_ / "model_index.json").json();
      return;
    }
    recipe_.index = {{"_class_name", condition.is_null() ? "HunyuanVideoPipeline" : "HunyuanVideoImageToVideoPipeline"},
                     {"_diffusers_version", "0.42.1"}};
    classes_.try_emplace("scheduler", "FlowMatchEulerDiscreteScheduler");
    classes_.try_emplace("tokenizer", "LlamaTokenizerFast");
    classes_.try_emplace("tokenizer_2", "CLIPTokenizer");
    if (recipe_.parts.contains("image_processor")) classes_.try_emplace("image_processor", "CLIPImageProcessor");
    for (const auto& [part, planned] : recipe_.parts) {
      const auto kind = classes_.find(part);
      if (kind == classes_.end()) continue;
      const bool ours = part.starts_with("transformer") || part == "vae" || part == "scheduler";
      recipe_.index[part] = {ours ? "diffusers" : "transformers", kind->second};
    }
  }

  /// The base's reelfarm.json where the family stays, with what the request says laid over it.
  void write_settings() {
    json settings = {{"schema", 1}};
    if (base_ && is_there(base_path_ / "reelfarm.json") && recipe_.parts.at("transformer").files.empty())
      settings = Config::read(base_path_ / "reelfarm.json").json();
    if (!request_.name.empty()) settings["name"] = request_.name;
    if (request_.distilled) settings["distilled"] = true;
    if (request_.steps) settings["defaults"]["steps"] = *request_.steps;
    if (request_.shift) settings["defaults"]["shift"] = *request_.shift;
    if (request_.guidance) settings["defaults"]["guidance"] = *request_.guidance;
    if (settings.size() > 1) recipe_.reelfarm = std::move(settings);
  }

  const ConvertRequest& request_;
  fs::path base_path_, vae_, text_, clip_;
  std::optional<Bundle> base_;
  Source transformer_;
  std::map<std::string, std::string> classes_;
  BundleRecipe recipe_;
};

}  // namespace

bool PlannedPart::plain() const {
  if (source == nullptr || overlay != nullptr || !only.empty() || change) return false;
  const WeightForm& form = source->form();
  return form.names == "diffusers" && form.wrappers.empty() && !form.scaled &&
         std::ranges::all_of(source->files(), [](const fs::path& file) { return is_safetensors(file); });
}

std::vector<TensorInfo> PlannedPart::tensors() const {
  std::vector<TensorInfo> tensors;
  for (const std::string& name : source->names()) {
    if (!name.starts_with(only)) continue;
    const TensorInfo* above = overlay == nullptr ? nullptr : overlay->find(name);
    const TensorInfo& under = source->at(name);
    if (above != nullptr && above->shape != under.shape)
      throw WeightError("weights: " + above->file + ": tensor \"" + name + "\" has shape " + shown(json(above->shape)) +
                        ", that of the base in " + under.file + " has " + shown(json(under.shape)) +
                        "; was it made for another base?");
    tensors.push_back(above != nullptr ? *above : under);
  }
  if (overlay == nullptr) return change ? change(tensors) : tensors;
  NameList unknown;
  for (const std::string& name : overlay->names())
    if (source->find(name) == nullptr) unknown.add(name);
  if (!unknown.empty())
    throw WeightError("weights: " + overlay->path().string() + ": tensors that the base has not: " + unknown.text());
  return change ? change(tensors) : tensors;
}

BundleRecipe plan_bundle(const ConvertRequest& request) {
  return Planner(request).run();
}

}  // namespace reelfarm::weights::detail

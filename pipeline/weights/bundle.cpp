#include "pipeline/weights/bundle.hpp"

#include <algorithm>
#include <optional>

#include "pipeline/weights/detail/families.hpp"
#include "pipeline/weights/detail/manifest_file.hpp"
#include "pipeline/weights/detail/strict_json.hpp"

namespace reelfarm::weights {
namespace fs = std::filesystem;
namespace {

constexpr const char* kT2i = "transformer_t2i";

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// model_index.json lists each component as [library, class]; a component that is not there as [null, null].
detail::ComponentClasses read_classes(const Config& index) {
  detail::ComponentClasses classes;
  for (const auto& item : index.json().items()) {
    const nlohmann::json& value = item.value();
    if (item.key().starts_with("_") || !value.is_array()) continue;
    if (value.size() != 2) index.fail(item.key(), "expected [library, class]");
    if (value[1].is_null()) continue;
    if (!value[1].is_string()) index.fail(item.key(), "expected [library, class]");
    classes.emplace(item.key(), value[1].get<std::string>());
  }
  return classes;
}

std::string config_name(const std::string& component) {
  if (component == "scheduler") return "scheduler_config.json";
  if (component == "image_processor" || component == "feature_extractor") return "preprocessor_config.json";
  return "config.json";
}

bool is_tokenizer(const std::string& component) {
  return component.starts_with("tokenizer");
}

bool has_weights(const std::string& component) {
  return component.starts_with("transformer") || component == "vae" || component.starts_with("text_encoder") ||
         component == "image_encoder";
}

bool holds_weights(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error); !error && it != fs::directory_iterator(); it.increment(error)) {
    if (is_safetensors(it->path()) || is_other_weights(it->path())) return true;
    if (it->path().filename().string().ends_with(".safetensors.index.json")) return true;
  }
  return false;
}

/// The configuration of the encoder that sees the image, if there is one.
std::optional<Config> llava_config(const fs::path& folder, const detail::ComponentClasses& classes) {
  for (const char* component : {"image_encoder", "text_encoder"}) {
    const auto it = classes.find(component);
    if (it != classes.end() && it->second == "LlavaForConditionalGeneration" &&
        is_there(folder / component / "config.json"))
      return Config::read(folder / component / "config.json");
  }
  return std::nullopt;
}

/// The VAE's factors; the window grid and the noise are made for 4 frames and 8 pixels a latent.
void read_vae(const Config& vae, BundleManifest& manifest) {
  manifest.latent_channels = vae.integer_between("latent_channels", 16, 1, 1024);
  manifest.vae_scale_spatial = vae.integer_between("spatial_compression_ratio", 8, 1, 64);
  manifest.vae_scale_temporal = vae.integer_between("temporal_compression_ratio", 4, 1, 64);
  if (manifest.vae_scale_spatial != 8) vae.fail("spatial_compression_ratio", "this version renders 8 pixels a latent");
  if (manifest.vae_scale_temporal != 4)
    vae.fail("temporal_compression_ratio", "this version renders 4 frames a latent");
}

void read_shift(const fs::path& folder, BundleManifest& manifest) {
  const fs::path file = folder / "scheduler" / config_name("scheduler");
  if (!is_there(file)) return;
  const Config scheduler = Config::read(file);
  manifest.sampling.shift = scheduler.number("shift", manifest.sampling.shift);
  if (scheduler.flag("use_dynamic_shifting", false))
    scheduler.fail("use_dynamic_shifting", "this version knows fixed shifts only");
}

void read_t2i(const fs::path& folder, const Config& vae, BundleManifest& manifest) {
  if (!is_there(folder / kT2i / "config.json")) return;
  const Config transformer = Config::read(folder / kT2i / "config.json");
  detail::check_class(transformer, kT2i);
  if (transformer.integer("in_channels") != vae.integer("latent_channels"))
    transformer.fail("in_channels", "expected the VAE's latent channels: a text-to-image transformer");
  T2iSettings settings;
  settings.uses_guidance = transformer.flag("guidance_embeds", false);
  settings.prompt = detail::image_prompt_defaults();
  // Magic 1-For-1 distilled its text-to-image model to 4 steps as well.
  settings.distilled = manifest.family == Family::magic_141;
  settings.sampling = settings.distilled ? manifest.sampling : SamplingDefaults{50, 7.0, 6.0};
  manifest.t2i = settings;
}

std::string folder_name(const fs::path& folder) {
  std::error_code error;
  const fs::path whole = fs::weakly_canonical(folder, error);
  return (error ? folder : whole).filename().string();
}

}  // namespace

Bundle::Bundle(fs::path path, std::map<std::string, std::string> classes, BundleManifest manifest)
    : path_(std::move(path)), classes_(std::move(classes)), manifest_(std::move(manifest)) {}

Bundle Bundle::open(const fs::path& folder) {
  if (!is_there(folder)) throw WeightError("weights: no bundle at " + folder.string() + ": no such folder");
  if (!is_there(folder / "model_index.json"))
    throw WeightError("weights: " + folder.string() +
                      " is not a bundle: model_index.json is missing (expected a folder in the diffusers layout)");
  const Config index = Config::read(folder / "model_index.json");
  detail::ComponentClasses classes = read_classes(index);
  const Config transformer = Config::read(folder / "transformer" / "config.json");
  const Config vae = Config::read(folder / "vae" / "config.json");
  detail::check_class(transformer, "transformer");
  detail::check_class(vae, "vae");
  const Family family = detail::detect_family(index, classes, transformer, vae);
  const auto llava = llava_config(folder, classes);

  BundleManifest manifest = detail::family_defaults(family, llava ? &*llava : nullptr);
  manifest.name = folder_name(folder);
  manifest.uses_guidance = transformer.flag("guidance_embeds", false);
  read_vae(vae, manifest);
  read_shift(folder, manifest);
  read_t2i(folder, vae, manifest);
  const fs::path own = folder / "reelfarm.json";
  if (is_there(own)) detail::apply_manifest_file(Config::read(own), manifest);
  detail::check_manifest(own, manifest);
  return {folder, std::move(classes), std::move(manifest)};
}

std::string few_steps_warning(const BundleManifest& manifest, int steps) {
  if (manifest.distilled || steps * 2 >= manifest.sampling.steps) return {};
  return "steps is " + std::to_string(steps) + ", but bundle " + manifest.name +
         " is not distilled for few steps and wants " + std::to_string(manifest.sampling.steps) +
         ": expect a poor picture";
}

std::vector<std::string> Bundle::components() const {
  std::vector<std::string> present;
  std::vector<std::string> candidates = detail::expected_components(manifest_.family, classes_);
  for (const char* optional : {kT2i, "tokenizer_3"}) candidates.emplace_back(optional);
  for (const std::string& component : candidates)
    if (is_there(folder(component))) present.push_back(component);
  std::sort(present.begin(), present.end());
  return present;
}

std::vector<std::string> Bundle::weighted_components() const {
  std::vector<std::string> present = components();
  std::erase_if(present, [&](const std::string& component) {
    return !has_weights(component) || !holds_weights(folder(component));
  });
  return present;
}

Config Bundle::config(const std::string& component) const {
  return Config::read(folder(component) / config_name(component));
}

std::shared_ptr<const TensorSource> Bundle::tensors(const std::string& component) const {
  auto source = TensorSource::open(folder(component));
  if (loras_.empty() || component != "transformer") return source;
  return TensorSource::with_loras(std::move(source), loras_);
}

void Bundle::add_loras(const std::vector<Lora>& loras) {
  if (loras.empty()) return;
  loras_.insert(loras_.end(), loras.begin(), loras.end());
  tensors("transformer");
}

std::vector<std::string> Bundle::missing_parts() const {
  std::vector<std::string> missing;
  std::vector<std::string> expected = detail::expected_components(manifest_.family, classes_);
  if (manifest_.t2i) expected.emplace_back(kT2i);
  for (const std::string& component : expected) {
    const fs::path place = folder(component);
    if (!is_there(place)) {
      missing.push_back(component + ": the folder is missing");
      continue;
    }
    if (is_tokenizer(component)) {
      if (!is_there(place / "tokenizer.json") && !(is_there(place / "vocab.json") && is_there(place / "merges.txt")))
        missing.push_back(component + ": tokenizer.json is missing (or vocab.json with merges.txt)");
      continue;
    }
    if (!is_there(place / config_name(component)))
      missing.push_back(component + ": " + config_name(component) + " is missing");
    if (has_weights(component) && !holds_weights(place)) missing.push_back(component + ": no *.safetensors");
  }
  return missing;
}

void Bundle::require_complete() const {
  std::string text;
  for (const std::string& part : missing_parts()) text += (text.empty() ? "" : "; ") + part;
  if (!text.empty()) throw WeightError("weights: " + path_.string() + " is not complete: " + text);
}

}  // namespace reelfarm::weights

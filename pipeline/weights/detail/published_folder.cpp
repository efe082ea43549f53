#include "pipeline/weights/detail/published_folder.hpp"

#include <algorithm>
#include <vector>

namespace reelfarm::weights::detail {
namespace {

namespace fs = std::filesystem;

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

fs::path first_folder(const fs::path& parent, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (is_folder(parent / name)) return parent / name;
  return {};
}

PublishedFolder parts_of(const fs::path& model) {
  const fs::path above = fs::absolute(model / "..").lexically_normal();
  return {model / "transformers", first_folder(model, {"vae"}),
          first_folder(above, {"text_encoder_i2v", "text_encoder"}), first_folder(above, {"text_encoder_2"})};
}

}  // namespace

std::optional<PublishedFolder> published_folder(const fs::path& folder) {
  if (is_folder(folder / "transformers")) return parts_of(folder);
  std::vector<fs::path> models;
  std::error_code error;
  for (fs::directory_iterator it(folder, error); !error && it != fs::directory_iterator(); it.increment(error))
    if (is_folder(it->path() / "transformers")) models.push_back(it->path());
  if (models.size() == 1) return parts_of(models.front());
  if (models.empty()) return std::nullopt;
  throw WeightError("weights: " + folder.string() + " holds " + std::to_string(models.size()) +
                    " models; name one: " + models.front().string() + ", " + models[1].string());
}

EncoderParts encoder_parts(const fs::path& folder, const std::string& name) {
  const Config config = Config::read(folder / "config.json");
  const std::string model = config.text("model_type", "");
  const bool clip = name == "text_encoder_2";
  EncoderParts made;
  PlannedPart encoder;
  encoder.source = TensorSource::open(folder);
  nlohmann::json written = config.json();
  if (clip && (model == "clip" || model == "clip_text_model")) {
    made.class_name = "CLIPTextModel";
    // A whole CLIP has a vision half beside it; what newer transformers save has no such scope.
    const std::vector<std::string> names = encoder.source->names();
    if (std::ranges::any_of(names, [](const std::string& tensor) { return tensor.starts_with("text_model."); }))
      encoder.only = "text_model.";
    // The whole CLIP keeps the text half's configuration in an object of its own.
    if (config.has("text_config")) written = config.object("text_config").json();
    written["architectures"] = {"CLIPTextModel"};
    written["model_type"] = "clip_text_model";
  } else if (!clip && model == "llava") {
    made.class_name = "LlavaForConditionalGeneration";
  } else if (!clip && model == "llama") {
    made.class_name = "LlamaModel";
  } else {
    config.fail("model_type", std::string("expected ") + (clip ? "clip or clip_text_model" : "llama or llava"));
  }
  encoder.files["config.json"] = std::move(written);
  const std::string tokenizer = clip ? "tokenizer_2" : "tokenizer";
  PlannedPart words;
  words.folder = folder;
  words.names = {
      "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
      "merges.txt"};
  made.parts.emplace(name, std::move(encoder));
  made.parts.emplace(tokenizer, std::move(words));
  if (made.class_name == "LlavaForConditionalGeneration") {
    PlannedPart image;
    image.folder = folder;
    image.names = {"preprocessor_config.json"};
    made.parts.emplace("image_processor", std::move(image));
  }
  return made;
}

}  // namespace reelfarm::weights::detail

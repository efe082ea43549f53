#include "pipeline/weights/detail/families.hpp"

#include <algorithm>

namespace reelfarm::weights {

std::string_view name_of(Family family) {
  switch (family) {
    case Family::t2v:
      return "hunyuan-t2v";
    case Family::i2v_latent_concat:
      return "hunyuan-i2v-latent-concat";
    case Family::i2v_token_replace:
      return "hunyuan-i2v-token-replace";
    case Family::magic_141:
      return "magic-1-for-1";
  }
  return "";
}

namespace detail {
namespace {

constexpr std::string_view kLlava = "LlavaForConditionalGeneration";

struct KnownClasses {
  const char* component;
  std::vector<std::string_view> classes;
};

const std::vector<KnownClasses>& known_classes() {
  static const std::vector<KnownClasses> known{
      {"transformer", {"HunyuanVideoTransformer3DModel"}},
      {"transformer_t2i", {"HunyuanVideoTransformer3DModel"}},
      {"vae", {"AutoencoderKLHunyuanVideo"}},
      {"scheduler", {"FlowMatchEulerDiscreteScheduler"}},
      {"text_encoder", {"LlamaModel", kLlava}},
      {"text_encoder_2", {"CLIPTextModel"}},
      {"image_encoder", {kLlava}},
  };
  return known;
}

constexpr const char* kKnownArchitectures =
    "known architectures: HunyuanVideo text-to-video (hunyuan-t2v), HunyuanVideo image-to-video by latent concat "
    "(hunyuan-i2v-latent-concat) and by token replace (hunyuan-i2v-token-replace), Magic 1-For-1 (magic-1-for-1), in "
    "diffusers layout: HunyuanVideoPipeline or HunyuanVideoImageToVideoPipeline with HunyuanVideoTransformer3DModel, "
    "AutoencoderKLHunyuanVideo, LlamaModel or LlavaForConditionalGeneration, CLIPTextModel, "
    "FlowMatchEulerDiscreteScheduler";

[[noreturn]] void unknown(const Config& config, const std::string& what) {
  throw WeightError("weights: " + config.file().string() + ": " + what + "; " + kKnownArchitectures);
}

void check_classes(const Config& index, const ComponentClasses& classes) {
  const std::string pipeline = index.text("_class_name");
  if (pipeline != "HunyuanVideoPipeline" && pipeline != "HunyuanVideoImageToVideoPipeline")
    unknown(index, "unknown pipeline class \"" + pipeline + "\"");
  for (const KnownClasses& known : known_classes()) {
    const auto it = classes.find(known.component);
    if (it == classes.end()) continue;
    if (std::find(known.classes.begin(), known.classes.end(), it->second) == known.classes.end())
      unknown(index, std::string(known.component) + ": unknown class \"" + it->second + "\"");
  }
}

bool is_llava(const ComponentClasses& classes, const std::string& component) {
  const auto it = classes.find(component);
  return it != classes.end() && it->second == kLlava;
}

// The templates are part of the published weights: the models were trained on prompts inside them. Sources:
// Tencent/HunyuanVideo hyvideo/constants.py (PROMPT_TEMPLATE), as diffusers 0.42.1 repeats them in
// pipeline_hunyuan_video.py and pipeline_hunyuan_video_image2video.py, and Magic-1-For-1
// text_encoder_vlm.py. The crops count Llama 3 tokens; a test counts them again.
constexpr const char* kVideoAspects =
    "1. The main content and theme of the video."
    "2. The color, shape, size, texture, quantity, text, and spatial relationships of the objects."
    "3. Actions, events, behaviors temporal relationships, physical movement changes of the objects."
    "4. background environment, light, style and atmosphere."
    "5. camera angles, movements, and transitions used in the video:<|eot_id|>";

constexpr const char* kSystem = "<|start_header_id|>system<|end_header_id|>\n\n";
constexpr const char* kUser = "<|start_header_id|>user<|end_header_id|>\n\n";
constexpr const char* kAssistant = "<|start_header_id|>assistant<|end_header_id|>\n\n";

/// Embeddings that the vision tower gives for one image: one a patch, and the class token when it is kept.
int image_embeddings(const Config& llava) {
  const Config vision = llava.object("vision_config");
  const int image = vision.integer_between("image_size", 224, 1, 1 << 14);
  const int patch = vision.integer_between("patch_size", 32, 1, image);
  const int side = image / patch;
  const bool full = llava.text("vision_feature_select_strategy", "default") == "full";
  return side * side + (full ? 1 : 0);
}

ImagePromptSettings hunyuan_image_prompt(const Config& llava, int interleave) {
  ImagePromptSettings settings;
  settings.template_text = std::string(kSystem) +
                           "<image>\nDescribe the video by detailing the following aspects according to the reference "
                           "image: " +
                           kVideoAspects + "\n\n" + kUser + "{}<|eot_id|>" + kAssistant;
  settings.crop_start = 103;
  settings.image_interleave = interleave;
  settings.image_embed_start = 5;
  settings.image_embed_length = image_embeddings(llava);
  settings.image_embed_end = settings.image_embed_start + settings.image_embed_length;
  return settings;
}

ImagePromptSettings magic_image_prompt(const Config& llava) {
  ImagePromptSettings settings;
  settings.encoder = "image_encoder";
  settings.template_text =
      std::string(kSystem) +
      "Describe the video by detailing the following aspects: "
      "1. The central subject and overarching message or purpose of the video."
      "2. The color, shape, size, texture, quantity, text, and spatial arrangement of objects within the scene."
      "3. Actions, events, behaviors, temporal sequences, and physical movements or transformations of objects."
      "4. Behavior, facial expressions, emotions, speaking style, eye gaze, head orientation, body orientation, "
      "gestures (hand and body), and changes in these elements for the main character."
      "5. The background setting, lighting, artistic style, and overall mood or tone of the scene."
      "6. Camera angles, movements, transitions, and other filming techniques employed in the video:<|eot_id|>" +
      kUser + "<image><|eot_id|>";
  // Everything up to the end of the user's header goes; the two newlines, the image and the end token stay.
  settings.crop_start = 151;
  settings.hidden_state_skip = 0;
  settings.image_interleave = 4;
  settings.image_embed_start = 152;
  settings.image_embed_length = image_embeddings(llava);
  settings.image_embed_end = settings.image_embed_start + settings.image_embed_length;
  settings.image_in_place = true;
  settings.assistant_header_tokens = 0;
  return settings;
}

}  // namespace

void check_class(const Config& part, std::string_view component) {
  const auto known =
      std::ranges::find_if(known_classes(), [&](const KnownClasses& one) { return component == one.component; });
  const std::string expected(known->classes.front());
  if (part.has("_class_name") && part.text("_class_name") != expected)
    part.fail("_class_name", "expected \"" + expected + "\", the one architecture of this version");
}

Family detect_family(const Config& index, const ComponentClasses& classes, const Config& transformer,
                     const Config& vae) {
  check_classes(index, classes);
  const std::int64_t latents = vae.integer("latent_channels");
  const std::int64_t channels = transformer.integer("in_channels");
  const std::string condition = transformer.text("image_condition_type", "none");
  if (condition == "latent_concat" && channels == 2 * latents + 1)
    return is_llava(classes, "image_encoder") ? Family::magic_141 : Family::i2v_latent_concat;
  if (condition == "token_replace" && channels == latents) return Family::i2v_token_replace;
  if (condition == "none" && channels == latents) return Family::t2v;
  unknown(transformer,
          "image_condition_type " + condition + " with in_channels " + std::to_string(channels) + " and " +
              std::to_string(latents) +
              " latent channels fits none (latent_concat needs 2n + 1 channels, token_replace and none n)");
}

PromptSettings video_prompt_defaults() {
  PromptSettings settings;
  settings.template_text = std::string(kSystem) +
                           "Describe the video by detailing the following aspects: " + kVideoAspects + kUser +
                           "{}<|eot_id|>";
  settings.crop_start = 95;
  return settings;
}

PromptSettings image_prompt_defaults() {
  PromptSettings settings;
  settings.template_text = std::string(kSystem) +
                           "Describe the image by detailing the color, shape, size, texture, quantity, text, spatial "
                           "relationships of the objects and background:<|eot_id|>" +
                           kUser + "{}<|eot_id|>";
  settings.crop_start = 36;
  return settings;
}

BundleManifest family_defaults(Family family, const Config* llava) {
  BundleManifest manifest;
  manifest.family = family;
  if (family != Family::t2v) manifest.conditions = {"first"};
  switch (family) {
    case Family::t2v:
      manifest.sampling = {50, 7.0, 6.0};
      break;
    case Family::i2v_latent_concat:
      manifest.sampling = {50, 7.0, 1.0};
      if (llava != nullptr) manifest.image_prompt = hunyuan_image_prompt(*llava, 2);
      break;
    case Family::i2v_token_replace:
      manifest.sampling = {50, 7.0, 6.0};
      if (llava != nullptr) manifest.image_prompt = hunyuan_image_prompt(*llava, 4);
      break;
    case Family::magic_141:
      manifest.sampling = {4, 5.0, 1.0};
      manifest.distilled = true;
      if (llava != nullptr) manifest.image_prompt = magic_image_prompt(*llava);
      break;
  }
  // A bundle whose text encoder sees no image reads the prompt alone; Magic 1-For-1 reads both.
  if (!manifest.image_prompt || family == Family::magic_141) manifest.prompt = video_prompt_defaults();
  return manifest;
}

std::vector<std::string> expected_components(Family family, const ComponentClasses& classes) {
  std::vector<std::string> expected{"transformer",    "vae",        "scheduler", "text_encoder", "tokenizer",
                                    "text_encoder_2", "tokenizer_2"};
  if (family == Family::magic_141) expected.emplace_back("image_encoder");
  if (is_llava(classes, "text_encoder") || is_llava(classes, "image_encoder")) expected.emplace_back("image_processor");
  return expected;
}

}  // namespace detail
}  // namespace reelfarm::weights

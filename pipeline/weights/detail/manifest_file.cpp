#include "pipeline/weights/detail/manifest_file.hpp"

#include <algorithm>
#include <array>

#include "pipeline/weights/detail/families.hpp"
#include "pipeline/weights/detail/near_match.hpp"
#include "pipeline/windows/grid.hpp"
#include "pipeline/windows/size.hpp"

namespace reelfarm::weights::detail {
namespace {

constexpr int kSchema = 1;
constexpr int kMaxSteps = 1000;
constexpr int kMaxTokens = 1 << 16;
constexpr int kMaxLayers = 1000;
constexpr std::array<const char*, 3> kConditions{"first", "prefix", "last"};

double positive(const Config& config, std::string_view key, double fallback) {
  const double value = config.number(key, fallback);
  if (!(value > 0)) config.fail(key, "expected a number above 0");
  return value;
}

void apply_sampling(const Config& config, SamplingDefaults& sampling) {
  sampling.steps = config.integer_between("steps", sampling.steps, 1, kMaxSteps);
  sampling.shift = positive(config, "shift", sampling.shift);
  sampling.guidance = config.number("guidance", sampling.guidance);
  if (sampling.guidance < 0) config.fail("guidance", "expected 0 or more");
}

windows::FrameRate read_frame_rate(const Config& config, std::string_view key) {
  try {
    if (config.json().at(key).is_string()) return windows::parse_frame_rate(config.text(key));
    return windows::parse_frame_rate(config.json().at(key).dump());
  } catch (const windows::InvalidRequest& error) {
    config.fail(key, std::string(error.what()) + "; expected a number or a fraction such as \"24000/1001\"");
  }
}

void apply_defaults(const Config& config, BundleManifest& manifest) {
  config.check_keys({"steps", "shift", "guidance", "width", "height", "frames", "window_frames", "frame_rate"});
  apply_sampling(config, manifest.sampling);
  manifest.width = config.integer_between("width", manifest.width, windows::kMinSide, windows::kMaxSide);
  manifest.height = config.integer_between("height", manifest.height, windows::kMinSide, windows::kMaxSide);
  manifest.default_frames = config.integer_between("frames", manifest.default_frames, 0, windows::kMaxFrames);
  manifest.window_frames =
      config.integer_between("window_frames", manifest.window_frames, 1, windows::kMaxWindowFrames);
  if (config.has("frame_rate")) manifest.frame_rate = read_frame_rate(config, "frame_rate");
}

void apply_prompt(const Config& config, PromptSettings& prompt) {
  config.check_keys({"encoder", "tokenizer", "template", "crop_start", "max_length", "hidden_state_skip"});
  prompt.encoder = config.text("encoder", prompt.encoder);
  prompt.tokenizer = config.text("tokenizer", prompt.tokenizer);
  prompt.template_text = config.text("template", prompt.template_text);
  prompt.crop_start = config.integer_between("crop_start", prompt.crop_start, 0, kMaxTokens);
  prompt.max_length = config.integer_between("max_length", prompt.max_length, 1, kMaxTokens);
  prompt.hidden_state_skip = config.integer_between("hidden_state_skip", prompt.hidden_state_skip, 0, kMaxLayers);
}

void apply_image_prompt(const Config& config, ImagePromptSettings& prompt) {
  config.check_keys({"encoder", "tokenizer", "template", "crop_start", "max_length", "hidden_state_skip", "image_token",
                     "image_interleave", "image_embed_start", "image_embed_end", "image_embed_length", "image_in_place",
                     "double_return_token_id", "header_end_token", "assistant_header_tokens"});
  prompt.encoder = config.text("encoder", prompt.encoder);
  prompt.tokenizer = config.text("tokenizer", prompt.tokenizer);
  prompt.template_text = config.text("template", prompt.template_text);
  prompt.crop_start = config.integer_between("crop_start", prompt.crop_start, 0, kMaxTokens);
  prompt.max_length = config.integer_between("max_length", prompt.max_length, 1, kMaxTokens);
  prompt.hidden_state_skip = config.integer_between("hidden_state_skip", prompt.hidden_state_skip, 0, kMaxLayers);
  prompt.image_token = config.text("image_token", prompt.image_token);
  prompt.image_interleave = config.integer_between("image_interleave", prompt.image_interleave, 1, kMaxTokens);
  prompt.image_embed_start = config.integer_between("image_embed_start", prompt.image_embed_start, 0, kMaxTokens);
  prompt.image_embed_length = config.integer_between("image_embed_length", prompt.image_embed_length, 1, kMaxTokens);
  prompt.image_embed_end =
      config.integer_between("image_embed_end", prompt.image_embed_start + prompt.image_embed_length, 0, kMaxTokens);
  prompt.image_in_place = config.flag("image_in_place", prompt.image_in_place);
  prompt.double_return_token_id =
      config.integer_between("double_return_token_id", prompt.double_return_token_id, 0, 1 << 30);
  prompt.header_end_token = config.text("header_end_token", prompt.header_end_token);
  prompt.assistant_header_tokens =
      config.integer_between("assistant_header_tokens", prompt.assistant_header_tokens, 0, kMaxTokens);
}

/// `"prompt": null` takes a prompt away; an object changes it, or makes one from `base`.
template <typename Settings, typename Apply>
void apply_optional(const Config& config, std::string_view key, std::optional<Settings>& settings, const Settings& base,
                    Apply apply) {
  if (!config.json().contains(key)) return;
  if (!config.has(key)) {
    settings.reset();
    return;
  }
  if (!settings) settings = base;
  apply(config.object(key), *settings);
}

void apply_t2i(const Config& config, BundleManifest& manifest) {
  if (!manifest.t2i) config.fail("t2i", "the bundle has no folder transformer_t2i");
  const Config t2i = config.object("t2i");
  t2i.check_keys({"steps", "shift", "guidance", "distilled", "prompt"});
  apply_sampling(t2i, manifest.t2i->sampling);
  manifest.t2i->distilled = t2i.flag("distilled", manifest.t2i->distilled);
  if (t2i.has("prompt")) apply_prompt(t2i.object("prompt"), manifest.t2i->prompt);
}

void apply_bounds(const Config& config, BundleBounds& bounds) {
  config.check_keys({"max_width", "max_height", "max_frames", "max_steps", "max_prompt_characters"});
  bounds.max_width = config.integer_between("max_width", 0, 0, windows::kMaxSide);
  bounds.max_height = config.integer_between("max_height", 0, 0, windows::kMaxSide);
  bounds.max_frames = config.integer_between("max_frames", 0, 0, windows::kMaxFrames);
  bounds.max_steps = config.integer_between("max_steps", 0, 0, kMaxSteps);
  bounds.max_prompt_characters = config.integer_between("max_prompt_characters", 0, 0, 1 << 30);
}

void apply_overlaps(const Config& config, std::vector<int>& overlaps) {
  overlaps.clear();
  for (const std::int64_t frames : config.integers("overlap_frames")) {
    if (frames < 1 || frames > windows::kMaxWindowFrames || !windows::is_clip_length(frames))
      config.fail("overlap_frames", "expected numbers of the form 4k + 1: 1, 5, 9, ...");
    overlaps.push_back(static_cast<int>(frames));
  }
  if (overlaps.empty()) config.fail("overlap_frames", "expected at least one number");
}

void apply_conditions(const Config& config, std::vector<std::string>& conditions) {
  conditions = config.texts("conditions");
  for (const std::string& condition : conditions)
    if (std::find(kConditions.begin(), kConditions.end(), condition) == kConditions.end())
      config.fail("conditions", "expected any of first, prefix, last" +
                                    did_you_mean(condition, {kConditions.begin(), kConditions.end()}));
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

}  // namespace

void apply_manifest_file(const Config& file, BundleManifest& manifest) {
  file.check_keys({"schema", "name", "family", "distilled", "defaults", "overlap_frames", "conditions", "prompt",
                   "image_prompt", "clip_max_length", "t2i", "bounds"});
  if (file.integer("schema") != kSchema)
    file.fail("schema", "this version reads schema " + std::to_string(kSchema) + " only");
  manifest.name = file.text("name", manifest.name);
  if (file.text("family", std::string(name_of(manifest.family))) != name_of(manifest.family))
    file.fail("family", "the components are those of " + std::string(name_of(manifest.family)));
  manifest.distilled = file.flag("distilled", manifest.distilled);
  if (file.has("defaults")) apply_defaults(file.object("defaults"), manifest);
  if (file.has("overlap_frames")) apply_overlaps(file, manifest.overlap_frames);
  if (file.has("conditions")) apply_conditions(file, manifest.conditions);
  apply_optional(file, "prompt", manifest.prompt, video_prompt_defaults(), apply_prompt);
  apply_optional(file, "image_prompt", manifest.image_prompt, {}, apply_image_prompt);
  manifest.clip_max_length = file.integer_between("clip_max_length", manifest.clip_max_length, 2, kMaxTokens);
  if (file.has("t2i")) apply_t2i(file, manifest);
  if (file.has("bounds")) apply_bounds(file.object("bounds"), manifest.bounds);
}

void check_manifest(const std::filesystem::path& file, const BundleManifest& manifest) {
  const auto fail = [&](const std::string& message) {
    throw WeightError("weights: " + file.string() + ": " + message);
  };
  if (manifest.name.empty() || manifest.name.find_first_of("/\n\r\t") != std::string::npos)
    fail("\"name\": expected a name without slashes, found \"" + manifest.name + "\"");
  if (!windows::is_clip_length(manifest.window_frames))
    fail("\"defaults.window_frames\": expected 4k + 1 frames, found " + std::to_string(manifest.window_frames));
  const auto window_latents = windows::latents_for_frames(manifest.window_frames);
  for (const int overlap : manifest.overlap_frames)
    if (!manifest.single_window_only() && 2 * windows::latents_for_frames(overlap) > window_latents)
      fail("\"overlap_frames\": " + std::to_string(overlap) + " frames are more than half of a window of " +
           std::to_string(manifest.window_frames) + " (in latent frames)");
  if (!manifest.prompt && !manifest.image_prompt)
    fail("neither \"prompt\" nor \"image_prompt\": nothing reads the prompt");
  if (manifest.prompt && count_of(manifest.prompt->template_text, "{}") != 1)
    fail("\"prompt.template\": expected {} exactly once");
  if (manifest.t2i && count_of(manifest.t2i->prompt.template_text, "{}") != 1)
    fail("\"t2i.prompt.template\": expected {} exactly once");
  if (!manifest.image_prompt) return;
  const ImagePromptSettings& image = *manifest.image_prompt;
  if (image.image_token.empty() || count_of(image.template_text, image.image_token) != 1)
    fail("\"image_prompt.template\": expected \"" + image.image_token + "\" exactly once");
  const std::size_t placeholders = count_of(image.template_text, "{}");
  if (placeholders > 1 || (placeholders == 0 && !manifest.prompt))
    fail("\"image_prompt.template\": expected {} exactly once");
  if (image.image_embed_end - image.image_embed_start != image.image_embed_length)
    fail("\"image_prompt\": image_embed_end - image_embed_start is " +
         std::to_string(image.image_embed_end - image.image_embed_start) + ", image_embed_length " +
         std::to_string(image.image_embed_length));
}

}  // namespace reelfarm::weights::detail

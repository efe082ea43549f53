#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/windows/frame_rate.hpp"

namespace reelfarm::weights {

/// The kinds of bundles this version can render, told apart by class names, channels and image_condition_type.
enum class Family {
  t2v,                ///< text to video: as many channels as the VAE has latents, no image
  i2v_latent_concat,  ///< 2n + 1 channels: noisy latents, image latents, mask
  i2v_token_replace,  ///< n channels; the tokens of the first latent frame are the image
  magic_141           ///< latent concat, text from a Llama and image embeddings from a LLaVA of its own
};

/// For example "hunyuan-i2v-latent-concat".
std::string_view name_of(Family family);

/// How a prompt becomes hidden states of a Llama.
struct PromptSettings {
  std::string encoder = "text_encoder";
  std::string tokenizer = "tokenizer";
  std::string template_text;  ///< "{}" once, where the prompt goes
  int crop_start = 0;         ///< tokens cut from the front, the beginning-of-text token among them
  int max_length = 256;       ///< tokens after the crop; a longer prompt is refused
  int hidden_state_skip = 2;  ///< hidden states of this many layers from the end; 0: the last, with the final norm
};

/// How an image and a prompt become hidden states of a LLaVA.
struct ImagePromptSettings {
  std::string encoder = "text_encoder";
  std::string tokenizer = "tokenizer";
  std::string template_text;  ///< `image_token` once; "{}" once, or not at all when the prompt is not part of it
  int crop_start = 0;         ///< tokens cut from the front, the image token counted as one
  int max_length = 256;       ///< tokens after the crop
  int hidden_state_skip = 2;
  std::string image_token = "<image>";
  int image_interleave = 2;   ///< every n-th image embedding is kept
  int image_embed_start = 5;  ///< span [start, end) of the image embeddings after the image token is expanded
  int image_embed_end = 581;
  int image_embed_length = 576;
  bool image_in_place = false;  ///< false: the image embeddings go before the text; true: they stay where they are
  int double_return_token_id = 271;
  std::string header_end_token = "<|end_header_id|>";
  int assistant_header_tokens = 4;  ///< cut: the last header and this many tokens up to its end; 0: nothing is cut
};

/// What a job gets when it asks for nothing.
struct SamplingDefaults {
  int steps = 50;
  double shift = 7.0;
  double guidance = 6.0;
};

/// The model that makes a first frame from text.
struct T2iSettings {
  SamplingDefaults sampling;
  bool uses_guidance = false;
  bool distilled = false;
  PromptSettings prompt;
};

/// Bounds that the owner of a bundle can set; 0 means none.
struct BundleBounds {
  int max_width = 0;
  int max_height = 0;
  int max_frames = 0;
  int max_steps = 0;
  int max_prompt_characters = 0;
};

/// What a diffusers folder cannot say: built-in values of the family, overridden by the bundle's reelfarm.json.
struct BundleManifest {
  std::string name;  ///< of the folder unless reelfarm.json names it
  Family family = Family::t2v;
  bool distilled = false;      ///< made for few steps
  bool uses_guidance = false;  ///< the transformer embeds a guidance scale

  SamplingDefaults sampling;
  int width = 960;
  int height = 544;
  int default_frames = 0;                 ///< of a job that asks for none; 0: one window
  int window_frames = 121;                ///< 4k + 1
  std::vector<int> overlap_frames = {1};  ///< allowed, each 4k + 1; the first is the default
  windows::FrameRate frame_rate;
  std::vector<std::string> conditions;  ///< frames the weights can be given: "first", "prefix", "last"
  BundleBounds bounds;

  std::optional<PromptSettings> prompt;
  std::optional<ImagePromptSettings> image_prompt;
  int clip_max_length = 77;
  std::optional<T2iSettings> t2i;

  int latent_channels = 16;
  int vae_scale_spatial = 8;
  int vae_scale_temporal = 4;

  /// Cannot start without a first frame.
  bool needs_image() const { return family != Family::t2v; }
  /// Has no way to continue a window before it.
  bool single_window_only() const { return conditions.empty(); }
};

/// What to tell somebody who asks for so few steps that the picture will be poor; empty where it will not. The
/// coordinator says the same of a job.
std::string few_steps_warning(const BundleManifest& manifest, int steps);

}  // namespace reelfarm::weights

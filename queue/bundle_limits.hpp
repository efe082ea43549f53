#pragma once

#include <string>
#include <vector>

namespace reelfarm::queue {

/// How much of a prompt one text encoder reads.
struct PromptLimit {
  bool first_frame = false;   ///< asked when the first frame is made from text; else for every window
  std::string encoder;        ///< folder in the bundle
  std::string tokenizer;      ///< folder in the bundle; a copy lies in DataFolder::tokenizer
  std::string template_text;  ///< with "{}" where the prompt goes
  int crop_start = 0;         ///< tokens cut from the front
  int max_tokens = 0;         ///< that may remain

  bool operator==(const PromptLimit&) const = default;
};

/// What a bundle of weights can do: printed by `reelfarm-bundle inspect --json DIR`, registered by each agent, and what
/// the coordinator checks a job against before anything is queued. Frames are pixel frames, sizes are pixels.
struct BundleLimits {
  std::string name;
  std::string hash;    ///< of everything in the bundle that decides the bits
  std::string family;  ///< for example "hunyuan-i2v-latent-concat"
  int default_width = 0;
  int default_height = 0;
  int max_width = 0;  ///< 0: unknown, no limit but memory
  int max_height = 0;
  int size_multiple = 16;  ///< rendered sizes are multiples of it
  int default_frames = 0;  ///< frames of a job that asks for none; 0: one window
  int max_frames = 0;      ///< 0: no limit
  int window_frames = 121;
  std::vector<int> overlap_frames = {1};  ///< allowed; the first is the default
  int frame_rate_numerator = 24;
  int frame_rate_denominator = 1;
  int default_steps = 0;
  int max_steps = 0;  ///< 0: no limit
  double shift = 0;
  double guidance = 0;
  bool uses_guidance = false;              ///< has a guidance embedding; otherwise --guidance is accepted and ignored
  bool distilled = false;                  ///< made for few steps; few steps on another one get a warning
  bool has_t2i = false;                    ///< can make its own first frame
  bool needs_image = false;                ///< cannot start without an image; with has_t2i the farm makes one
  bool single_window_only = false;         ///< text-to-video weights: no conditioning on a window before
  std::vector<std::string> conditions;     ///< what the weights know: "first", "prefix", "last"
  int max_prompt_characters = 0;           ///< 0: no limit
  std::vector<PromptLimit> prompt_limits;  ///< of each encoder that reads the prompt
};

}  // namespace reelfarm::queue

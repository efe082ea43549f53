#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <ATen/core/Tensor.h>

#include "pipeline/nn/placement.hpp"

namespace reelfarm::weights {
class Bundle;
}

namespace reelfarm::video {
struct Image;
}

namespace reelfarm::text_encoders {

namespace detail {
class PromptReader;
}

/// Which model the prompt is for; each reads it inside a template of its own.
enum class Branch { t2i, t2v, i2v };

/// A prompt as the diffusion transformer takes it, on the encoders' device in their type.
struct PromptEmbedding {
  at::Tensor states;  // (T, text_dim): valid tokens only, an image's rows included
  at::Tensor pooled;  // (pooled_dim)
};

/// How much of a prompt's room is used.
struct TokenCount {
  std::int64_t used;        // tokens after the template's crop, what the template adds behind the prompt included
  std::int64_t limit;       // of `used`: a longer prompt is refused
  std::int64_t clip_used;   // start and end token included
  std::int64_t clip_limit;  // of `clip_used`: CLIP leaves out what is beyond, as it was trained to
};

/// Turns prompts, and images where the bundle's encoders see them, into conditions of the transformer, as diffusers'
/// HunyuanVideoPipeline and HunyuanVideoImageToVideoPipeline do, and Magic 1-For-1 with its two encoders (the image's
/// rows first). Not safe for two threads at once.
class PromptEncoder {
 public:
  /// Reads tokenizers and settings, no weights. Throws weights::WeightError for a bundle that lacks a part.
  PromptEncoder(const weights::Bundle& bundle, nn::Placement placement);
  ~PromptEncoder();
  PromptEncoder(PromptEncoder&&) noexcept;

  /// Whether encode() for this branch looks at the image.
  bool sees_image(Branch branch) const;

  /// Checks a prompt without weights. Throws PromptError when it is empty, not UTF-8 or too long, and
  /// weights::WeightError when the bundle has no such branch.
  TokenCount count_tokens(std::string_view prompt, Branch branch) const;

  /// Throws as count_tokens() does, and PromptError without an image where sees_image(branch). Loads what is not
  /// loaded.
  PromptEmbedding encode(std::string_view prompt, const video::Image* image, Branch branch);

  /// Loads all encoders of the bundle, once. On a CPU whose type the weights are stored in this maps them only.
  void load();
  bool loaded() const;
  /// Gives the encoders' memory back; encode() loads them again.
  void release();
  /// Releases, and loads at the new place when encoders were loaded.
  void move_to(nn::Placement placement);

 private:
  struct Models;

  std::unique_ptr<const detail::PromptReader> reader_;
  std::unique_ptr<const Models> models_;
  nn::Placement placement_;
};

}  // namespace reelfarm::text_encoders

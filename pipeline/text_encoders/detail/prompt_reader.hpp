#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/text_encoders/clip_image_processor.hpp"
#include "pipeline/text_encoders/detail/prompt_rows.hpp"
#include "pipeline/text_encoders/prompt_encoder.hpp"
#include "pipeline/tokenizers/tokenizer.hpp"
#include "pipeline/weights/bundle.hpp"

namespace reelfarm::text_encoders::detail {

/// What one language model reads of a prompt.
struct Reading {
  std::string encoder;  // component of the bundle
  std::int64_t hidden_state_skip;
  PromptRows rows;
};

/// What all encoders of a branch read of a prompt.
struct ReadPrompt {
  std::optional<Reading> image;  // its rows come first
  std::optional<Reading> text;
  std::vector<std::int64_t> clip_ids;  // padded
  TokenCount count{};
};

/// The part of a PromptEncoder that needs no weights: templates, tokenizers, limits.
class PromptReader {
 public:
  /// Throws weights::WeightError for a bundle whose parts are missing or do not fit each other.
  explicit PromptReader(const weights::Bundle& bundle);

  /// Throws PromptError and weights::WeightError as PromptEncoder::count_tokens does.
  ReadPrompt read(std::string_view prompt, Branch branch) const;

  bool sees_image(Branch branch) const;
  /// There when any branch sees an image.
  const std::optional<ClipImageProcessor>& image_processor() const { return image_processor_; }
  const weights::Bundle& bundle() const { return bundle_; }

 private:
  void open_tokenizer(const std::string& component);
  void open_image_prompt(const weights::ImagePromptSettings& settings);
  std::vector<std::int64_t> ids_of(const std::string& tokenizer, std::string_view template_text,
                                   std::string_view prompt) const;
  void read_clip(std::string_view prompt, ReadPrompt& read) const;

  weights::Bundle bundle_;
  std::map<std::string, std::shared_ptr<const tokenizers::Tokenizer>> tokenizers_;
  std::optional<ClipImageProcessor> image_processor_;
  std::int64_t image_token_id_ = -1;
};

}  // namespace reelfarm::text_encoders::detail

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/weights/manifest.hpp"

namespace reelfarm::text_encoders::detail {

/// Rows begin, begin + step, ... before end of a language model's hidden states.
struct RowRange {
  std::int64_t begin;
  std::int64_t end;
  std::int64_t step = 1;

  bool operator==(const RowRange&) const = default;
};

/// What a language model reads, and which of its rows the transformer gets.
struct PromptRows {
  std::vector<std::int64_t> ids;
  std::vector<RowRange> kept;      // in the order in which they are joined
  std::int64_t padded_length = 0;  // with the padding that the reference has here, see Llama::hidden_states
};

/// Rows of a prompt without an image: everything after the crop. `ids` are those of the filled template.
PromptRows rows_of_text(const weights::PromptSettings& settings, std::vector<std::int64_t> ids);

/// Ids that steer the rows of a prompt with an image.
struct ImageTokenIds {
  std::int64_t image;
  std::optional<std::int64_t> header_end;  // the tokenizer's id of settings.header_end_token
};

/// Rows of a prompt with an image: the one image token becomes as many as the image has rows; every n-th of these is
/// kept, before the text or in place; of the text after the crop the assistant's header is left out.
/// Throws PromptError when the prompt itself has an image token, weights::WeightError when the template puts the image
/// elsewhere than the settings say. Source: diffusers 0.42.1,
/// HunyuanVideoImageToVideoPipeline._get_llama_prompt_embeds.
PromptRows rows_of_image(const weights::ImagePromptSettings& settings, const std::vector<std::int64_t>& ids,
                         const ImageTokenIds& tokens);

}  // namespace reelfarm::text_encoders::detail

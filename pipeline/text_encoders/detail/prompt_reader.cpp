#include "pipeline/text_encoders/detail/prompt_reader.hpp"

#include <utf8proc.h>

#include <algorithm>

#include "pipeline/text_encoders/errors.hpp"
#include "pipeline/text_encoders/llava.hpp"
#include "pipeline/tokenizers/prompt_limit.hpp"

namespace reelfarm::text_encoders::detail {
namespace {

using tokenizers::Tokenizer;
using weights::ImagePromptSettings;
using weights::PromptSettings;

constexpr const char* kClipTokenizer = "tokenizer_2";
constexpr const char* kImageProcessor = "image_processor";

const char* name_of(Branch branch) {
  switch (branch) {
    case Branch::t2i:
      return "text-to-image";
    case Branch::t2v:
      return "text-to-video";
    case Branch::i2v:
      return "image-to-video";
  }
  return "";
}

/// Whether every character is a separator or a control character.
bool is_blank(std::string_view text) {
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  auto left = static_cast<utf8proc_ssize_t>(text.size());
  while (left > 0) {
    utf8proc_int32_t character = 0;
    const utf8proc_ssize_t size = utf8proc_iterate(bytes, left, &character);
    if (size <= 0) return false;  // not UTF-8: the tokenizer says where
    const utf8proc_category_t category = utf8proc_category(character);
    const bool separates = category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
                           category == UTF8PROC_CATEGORY_ZP || category == UTF8PROC_CATEGORY_CC;
    if (!separates) return false;
    bytes += size;
    left -= size;
  }
  return true;
}

/// Throws PromptError when the tokens after the crop are too many; else notes them where they leave the least room.
void note_length(TokenCount& count, const std::string& encoder, std::size_t tokens, int crop_start, int limit) {
  const std::int64_t used = static_cast<std::int64_t>(tokens) - crop_start;
  if (const auto problem = tokenizers::too_long(encoder, used, limit)) throw PromptError(*problem);
  if (count.limit == 0 || limit - used < count.limit - count.used) {
    count.used = used;
    count.limit = limit;
  }
}

}  // namespace

PromptReader::PromptReader(const weights::Bundle& bundle) : bundle_(bundle) {
  const weights::BundleManifest& manifest = bundle_.manifest();
  open_tokenizer(kClipTokenizer);
  if (manifest.prompt) open_tokenizer(manifest.prompt->tokenizer);
  if (manifest.t2i) open_tokenizer(manifest.t2i->prompt.tokenizer);
  if (manifest.image_prompt) open_image_prompt(*manifest.image_prompt);
}

void PromptReader::open_tokenizer(const std::string& component) {
  if (tokenizers_.contains(component)) return;
  try {
    tokenizers_.emplace(component, Tokenizer::open(bundle_.folder(component)));
  } catch (const tokenizers::TokenizerError& error) {
    throw weights::WeightError(error.what());
  }
}

void PromptReader::open_image_prompt(const ImagePromptSettings& settings) {
  open_tokenizer(settings.tokenizer);
  image_processor_ = ClipImageProcessor::parse(bundle_.config(kImageProcessor));
  const weights::Config config = bundle_.config(settings.encoder);
  if (!is_llava(config)) config.fail("model_type", "image_prompt needs an encoder that sees: expected \"llava\"");
  const LlavaConfig llava = LlavaConfig::parse(config);
  if (llava.tokens_per_image() != settings.image_embed_length) {
    config.fail("vision_config", "gives an image " + std::to_string(llava.tokens_per_image()) +
                                     " rows, image_prompt.image_embed_length is " +
                                     std::to_string(settings.image_embed_length));
  }
  image_token_id_ = llava.image_token_id;
  const auto spelled = tokenizers_.at(settings.tokenizer)->id_of(settings.image_token);
  if (spelled != image_token_id_) {
    config.fail("image_token_index", settings.tokenizer + " has " + settings.image_token + " as " +
                                         (spelled ? "token " + std::to_string(*spelled) : std::string("no token")));
  }
}

std::vector<std::int64_t> PromptReader::ids_of(const std::string& tokenizer, std::string_view template_text,
                                               std::string_view prompt) const {
  return tokenizers_.at(tokenizer)->encode(tokenizers::fill_template(template_text, prompt)).ids;
}

void PromptReader::read_clip(std::string_view prompt, ReadPrompt& read) const {
  const Tokenizer& tokenizer = *tokenizers_.at(kClipTokenizer);
  const int limit = bundle_.manifest().clip_max_length;
  tokenizers::Encoding encoding = tokenizer.encode(
      prompt, {.add_special_tokens = true, .max_length = limit, .pad = tokenizer.pad_id().has_value()});
  read.count.clip_used =
      std::ranges::count(encoding.attention_mask, 1) + static_cast<std::int64_t>(encoding.dropped_tokens);
  read.count.clip_limit = limit;
  read.clip_ids = std::move(encoding.ids);
}

bool PromptReader::sees_image(Branch branch) const {
  return branch == Branch::i2v && bundle_.manifest().image_prompt.has_value();
}

ReadPrompt PromptReader::read(std::string_view prompt, Branch branch) const {
  const weights::BundleManifest& manifest = bundle_.manifest();
  const PromptSettings* text = nullptr;
  if (branch == Branch::t2i && manifest.t2i) text = &manifest.t2i->prompt;
  if (branch != Branch::t2i && manifest.prompt) text = &*manifest.prompt;
  if (!text && !sees_image(branch)) {
    throw weights::WeightError("the bundle '" + manifest.name + "' reads no prompts for " + name_of(branch));
  }
  if (is_blank(prompt)) throw PromptError("the prompt is empty");
  ReadPrompt read;
  try {
    if (text) {
      std::vector<std::int64_t> ids = ids_of(text->tokenizer, text->template_text, prompt);
      note_length(read.count, text->encoder, ids.size(), text->crop_start, text->max_length);
      read.text = Reading{text->encoder, text->hidden_state_skip, rows_of_text(*text, std::move(ids))};
    }
    if (sees_image(branch)) {
      const ImagePromptSettings& image = *manifest.image_prompt;
      const std::vector<std::int64_t> ids = ids_of(image.tokenizer, image.template_text, prompt);
      note_length(read.count, image.encoder, ids.size(), image.crop_start, image.max_length);
      const ImageTokenIds tokens{image_token_id_, tokenizers_.at(image.tokenizer)->id_of(image.header_end_token)};
      read.image = Reading{image.encoder, image.hidden_state_skip, rows_of_image(image, ids, tokens)};
    }
    read_clip(prompt, read);
  } catch (const tokenizers::InvalidUtf8& error) {
    throw PromptError("the prompt is not UTF-8: " + std::string(error.what()));
  }
  return read;
}

}  // namespace reelfarm::text_encoders::detail

// The crops of the built-in prompt templates count Llama 3 tokens: count them again with the real vocabulary.
#include <gtest/gtest.h>

#include "pipeline/tokenizers/tokenizer.hpp"
#include "pipeline/weights/detail/families.hpp"

namespace reelfarm::tokenizers {
namespace {

using weights::Family;
using weights::detail::family_defaults;

class Llama3Templates : public ::testing::Test {
 protected:
  std::vector<std::int64_t> ids(const std::string& text) const { return tokenizer_->encode(text).ids; }

  /// Tokens before `marker` in the template.
  std::size_t tokens_before(const std::string& text, const std::string& marker) const {
    return ids(text.substr(0, text.find(marker))).size();
  }

  std::shared_ptr<const Tokenizer> tokenizer_ =
      Tokenizer::open(std::filesystem::path(REELFARM_REFERENCE_DIR) / "tokenizer_cases" / "llama3");
  weights::Config llava_{"config.json", {{"vision_config", {{"image_size", 336}, {"patch_size", 14}}}}};
};

TEST_F(Llama3Templates, TextPromptsAreCroppedWhereThePromptBegins) {
  for (const auto& prompt : {weights::detail::video_prompt_defaults(), weights::detail::image_prompt_defaults()})
    EXPECT_EQ(tokens_before(prompt.template_text, "{}"), static_cast<std::size_t>(prompt.crop_start));
}

TEST_F(Llama3Templates, ImagePromptsAreCroppedWhereThePromptBeginsAndTheImageIsWhereTheySay) {
  for (const Family family : {Family::i2v_latent_concat, Family::i2v_token_replace}) {
    const auto prompt = *family_defaults(family, &llava_).image_prompt;
    EXPECT_EQ(tokens_before(prompt.template_text, "{}"), static_cast<std::size_t>(prompt.crop_start));
    EXPECT_EQ(tokens_before(prompt.template_text, "<image>"), static_cast<std::size_t>(prompt.image_embed_start));
    EXPECT_EQ(prompt.image_embed_length, 576);
    EXPECT_EQ(tokenizer_->id_of(prompt.image_token), 128257);
    EXPECT_EQ(ids("\n\n").back(), prompt.double_return_token_id);
    // The tokens that are cut at the end: the assistant's header up to its end token, and the end token before it.
    const auto all = ids(prompt.template_text);
    const auto end = *tokenizer_->id_of(prompt.header_end_token);
    const auto last = std::find(all.rbegin(), all.rend(), end).base() - all.begin();
    EXPECT_EQ(all[last - prompt.assistant_header_tokens], *tokenizer_->id_of("<|eot_id|>"));
  }
}

TEST_F(Llama3Templates, MagicKeepsWhatFollowsTheUsersHeader) {
  const auto prompt = *family_defaults(Family::magic_141, &llava_).image_prompt;
  const std::string header = "user<|end_header_id|>";
  EXPECT_EQ(ids(prompt.template_text.substr(0, prompt.template_text.find(header) + header.size())).size(),
            static_cast<std::size_t>(prompt.crop_start));
  EXPECT_EQ(tokens_before(prompt.template_text, "<image>"), static_cast<std::size_t>(prompt.image_embed_start));
}

}  // namespace
}  // namespace reelfarm::tokenizers

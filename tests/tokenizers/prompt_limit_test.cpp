#include "pipeline/tokenizers/prompt_limit.hpp"

#include <gtest/gtest.h>

namespace reelfarm::tokenizers {
namespace {

TEST(FillTemplate, PutsThePromptInPlaceOfTheBraces) {
  EXPECT_EQ(fill_template("a{}b", "x{}y"), "ax{}yb");
  EXPECT_EQ(fill_template("ab", "x"), "ab");
}

TEST(TooLong, NamesBothCountsAndWhatToLeaveOut) {
  EXPECT_FALSE(too_long("text_encoder", 64, 64));
  EXPECT_EQ(too_long("text_encoder", 74, 64).value_or(""),
            "the prompt is too long: 74 tokens for text_encoder, which takes at most 64 (with what the template adds); "
            "leave out about 10");
}

}  // namespace
}  // namespace reelfarm::tokenizers

#include "pipeline/text_encoders/detail/prompt_rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/text_encoders/errors.hpp"
#include "pipeline/weights/errors.hpp"

namespace reelfarm::text_encoders::detail {
namespace {

using testing::ElementsAre;

// Token ids: 1 begins the text, 9 is the image, 7 closes a header, 8 is the blank line after it, others are words.
constexpr std::int64_t kImage = 9;
constexpr std::int64_t kHeaderEnd = 7;

weights::ImagePromptSettings settings_of_three_rows() {
  weights::ImagePromptSettings settings;
  settings.crop_start = 4;
  settings.image_interleave = 2;
  settings.image_embed_start = 2;
  settings.image_embed_end = 5;
  settings.image_embed_length = 3;
  settings.assistant_header_tokens = 2;
  settings.double_return_token_id = 8;
  return settings;
}

// Begin, a word, the image, a word; then the prompt of two words, the header (20, 7) and the blank line.
const std::vector<std::int64_t> kIds{1, 10, kImage, 11, 12, 13, 20, kHeaderEnd, 8};

TEST(RowsOfText, KeepsWhatFollowsTheCrop) {
  weights::PromptSettings settings;
  settings.crop_start = 2;
  settings.max_length = 5;
  const PromptRows rows = rows_of_text(settings, {1, 2, 3, 4});
  EXPECT_THAT(rows.kept, ElementsAre(RowRange{2, 4}));
  EXPECT_EQ(rows.padded_length, 7);
}

TEST(RowsOfImage, PutsTheImageFirstAndCutsTheAssistantsHeader) {
  const PromptRows rows = rows_of_image(settings_of_three_rows(), kIds, {kImage, kHeaderEnd});
  EXPECT_THAT(rows.ids, ElementsAre(1, 10, 9, 9, 9, 11, 12, 13, 20, 7, 8));
  EXPECT_THAT(rows.kept, ElementsAre(RowRange{2, 5, 2}, RowRange{6, 8}, RowRange{10, 11}));
}

TEST(RowsOfImage, FindsTheHeaderByTheBlankLineWhereNoTokenClosesIt) {
  const PromptRows rows = rows_of_image(settings_of_three_rows(), kIds, {kImage, std::nullopt});
  EXPECT_THAT(rows.kept, ElementsAre(RowRange{2, 5, 2}, RowRange{6, 8}, RowRange{10, 11}));
}

TEST(RowsOfImage, LeavesTheImageInPlaceWhenAsked) {
  weights::ImagePromptSettings settings = settings_of_three_rows();
  settings.image_in_place = true;
  settings.assistant_header_tokens = 0;
  settings.crop_start = 1;
  EXPECT_THAT(rows_of_image(settings, kIds, {kImage, kHeaderEnd}).kept,
              ElementsAre(RowRange{1, 2}, RowRange{2, 5, 2}, RowRange{5, 11}));
}

TEST(RowsOfImage, RefusesAPromptWithAnImageTokenOfItsOwn) {
  EXPECT_THROW(rows_of_image(settings_of_three_rows(), {1, 10, kImage, 11, kImage, 20, kHeaderEnd, 8}, {kImage, 7}),
               PromptError);
}

TEST(RowsOfImage, RefusesSettingsThatDoNotFitTheTemplate) {
  weights::ImagePromptSettings settings = settings_of_three_rows();
  EXPECT_THROW(rows_of_image(settings, {1, kImage, 11, 12, 20, kHeaderEnd, 8}, {kImage, 7}), weights::WeightError);
  EXPECT_THROW(rows_of_image(settings, {1, 10, 11, 12, 20, kHeaderEnd, 8}, {kImage, 7}), weights::WeightError);
  EXPECT_THROW(rows_of_image(settings, {1, 10, kImage, 11, 12, 13}, {kImage, 7}), weights::WeightError);
  settings.image_embed_end = 6;
  EXPECT_THROW(rows_of_image(settings, kIds, {kImage, 7}), weights::WeightError);
}

}  // namespace
}  // namespace reelfarm::text_encoders::detail

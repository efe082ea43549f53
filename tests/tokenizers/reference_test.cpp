// Ids against transformers 5.23.0: see tests/reference/tokenizer_cases.py for the vocabularies and the strings.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "pipeline/tokenizers/tokenizer.hpp"

namespace reelfarm::tokenizers {
namespace {

using nlohmann::json;

struct Vocabulary {
  const char* name;
  std::size_t least_texts;
};

class ReferenceTokenizers : public ::testing::TestWithParam<Vocabulary> {
 protected:
  ReferenceTokenizers() {
    const std::filesystem::path folder = std::filesystem::path(REELFARM_REFERENCE_DIR) / "tokenizer_cases";
    tokenizer_ = Tokenizer::open(folder / GetParam().name);
    std::ifstream stream(folder / (std::string(GetParam().name) + ".json"));
    reference_ = json::parse(stream);
  }

  std::shared_ptr<const Tokenizer> tokenizer_;
  json reference_;
};

EncodeOptions options_of(const json& item) {
  EncodeOptions options;
  options.add_special_tokens = item.value("add_special_tokens", true);
  options.max_length = item.value("max_length", 0);
  options.pad = item.value("pad", false);
  return options;
}

std::string shown(const std::string& text) {
  return json(text.substr(0, 200)).dump(-1, ' ', true, json::error_handler_t::replace);
}

TEST_P(ReferenceTokenizers, GivesTheSameIdsAndMasks) {
  EXPECT_EQ(tokenizer_->vocabulary_size(), reference_["transformers_tokens"].get<std::int64_t>());
  std::size_t texts = 0, wrong = 0;
  for (const json& item : reference_["cases"]) {
    const auto text = item["text"].get<std::string>();
    const EncodeOptions options = options_of(item);
    const Encoding encoding = tokenizer_->encode(text, options);
    if (options.add_special_tokens && options.max_length == 0) ++texts;
    const bool same =
        encoding.ids == item["ids"].get<std::vector<std::int64_t>>() &&
        (!item.contains("mask") || encoding.attention_mask == item["mask"].get<std::vector<std::int64_t>>());
    if (same) continue;
    if (++wrong <= 10)
      ADD_FAILURE() << shown(text) << " max_length " << options.max_length << "\n ids      "
                    << json(encoding.ids).dump().substr(0, 300) << "\n expected " << item["ids"].dump().substr(0, 300);
  }
  EXPECT_EQ(wrong, 0u) << "of " << reference_["cases"].size();
  EXPECT_GE(texts, GetParam().least_texts);
}

TEST_P(ReferenceTokenizers, DecodesTheSameText) {
  std::size_t decoded = 0, wrong = 0;
  for (const json& item : reference_["cases"]) {
    if (!item.contains("decoded")) continue;
    ++decoded;
    const std::string text = tokenizer_->decode(item["ids"].get<std::vector<std::int64_t>>(), true);
    if (text != item["decoded"].get<std::string>() && ++wrong <= 10)
      ADD_FAILURE() << shown(text) << "\n expected " << shown(item["decoded"].get<std::string>());
  }
  EXPECT_EQ(wrong, 0u) << "of " << decoded;
  if (GetParam().name != std::string("fallback")) {
    EXPECT_GT(decoded, 1000u);
  }
}

std::string vocabulary_name(const ::testing::TestParamInfo<Vocabulary>& vocabulary) {
  return vocabulary.param.name;
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, ReferenceTokenizers,
                         ::testing::Values(Vocabulary{"llama3", 10000}, Vocabulary{"clip_json", 10000},
                                           Vocabulary{"clip_files", 10000}, Vocabulary{"captions", 10000},
                                           Vocabulary{"fallback", 1000}),
                         vocabulary_name);

}  // namespace
}  // namespace reelfarm::tokenizers

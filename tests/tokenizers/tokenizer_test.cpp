#include "pipeline/tokenizers/tokenizer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "pipeline/tokenizers/detail/regex.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::tokenizers {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

template <typename Call>
std::string message_of(Call&& call) {
  try {
    call();
  } catch (const TokenizerError& error) {
    return error.what();
  }
  return "";
}

/// A byte-level tokenizer of a few tokens, whose description a test can spoil before it is read.
class SmallTokenizer : public ::testing::Test {
 protected:
  SmallTokenizer() {
    description_ = {
        {"added_tokens", {{{"id", 6}, {"content", "<image>"}, {"special", true}, {"normalized", false}}}},
        {"normalizer", nullptr},
        {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
        {"post_processor", nullptr},
        {"model",
         {{"type", "BPE"},
          {"vocab", {{"a", 0}, {"b", 1}, {"ab", 2}, {"aba", 3}, {"ba", 4}, {"<s>", 5}}},
          {"merges", {"b a", "a b", "ab a"}}}},
    };
  }
  void write(const char* name, const std::string& text) const { std::ofstream(folder_ / name) << text; }

  std::shared_ptr<const Tokenizer> open() const {
    write("tokenizer.json", description_.dump());
    return Tokenizer::open(folder_);
  }
  std::string refusal() const {
    return message_of([&] { open(); });
  }

  const test::TemporaryFolder owned_folder_;
  const fs::path folder_ = owned_folder_.path();
  json description_;
};

TEST_F(SmallTokenizer, AppliesTheEarliestMergeFirst) {
  EXPECT_THAT(open()->encode("aba").ids, ElementsAre(0, 4));
  EXPECT_THAT(open()->encode("ab").ids, ElementsAre(2));
  EXPECT_THAT(open()->encode("").ids, ElementsAre());
  description_["model"]["ignore_merges"] = true;
  EXPECT_THAT(open()->encode("aba").ids, ElementsAre(3));
}

TEST_F(SmallTokenizer, TruncatesPadsAndSaysHowManyTokensItDropped) {
  description_["post_processor"] = {{"type", "TemplateProcessing"},
                                    {"single", {{{"SpecialToken", {{"id", "<s>"}}}}, {{"Sequence", {{"id", "A"}}}}}},
                                    {"special_tokens", {{"<s>", {{"ids", {5}}}}}}};
  write("tokenizer_config.json", R"({"pad_token": {"content": "<image>"}})");
  const auto tokenizer = open();
  const Encoding cut = tokenizer->encode("<image>ab ab", {.max_length = 3});
  EXPECT_THAT(cut.ids, ElementsAre(5, 6, 2));
  EXPECT_EQ(cut.dropped_tokens, 1u);
  const Encoding padded = tokenizer->encode("ab", {.max_length = 4, .pad = true});
  EXPECT_THAT(padded.ids, ElementsAre(5, 2, 6, 6));
  EXPECT_THAT(padded.attention_mask, ElementsAre(1, 1, 0, 0));
  EXPECT_EQ(tokenizer->pad_id(), 6);
  EXPECT_EQ(tokenizer->vocabulary_size(), 7);
  EXPECT_EQ(tokenizer->id_of("<image>"), 6);
  EXPECT_EQ(tokenizer->id_of("c"), std::nullopt);
}

TEST_F(SmallTokenizer, NoPaddingTokenIsAnErrorOnlyWhenItIsNeeded) {
  const auto tokenizer = open();
  EXPECT_EQ(tokenizer->pad_id(), std::nullopt);
  EXPECT_THAT(message_of([&] { tokenizer->encode("a", {.max_length = 4, .pad = true}); }), HasSubstr("padding token"));
}

TEST_F(SmallTokenizer, NoRoomForTheSpecialTokensIsAnError) {
  description_["post_processor"] = {{"type", "RobertaProcessing"}, {"cls", {"<s>", 5}}, {"sep", {"<s>", 5}}};
  EXPECT_THAT(message_of([&] { open()->encode("a", {.max_length = 1}); }), HasSubstr("no room for 2 special tokens"));
  EXPECT_THAT(open()->encode("a", {.max_length = 2}).ids, ElementsAre(5, 5));
}

TEST_F(SmallTokenizer, ReadsAddedTokensOfTheConfiguration) {
  write("tokenizer_config.json", R"({"added_tokens_decoder": {"9": {"content": "<new>", "special": true}}})");
  EXPECT_THAT(open()->encode("a<new>b").ids, ElementsAre(0, 9, 1));
  write("tokenizer_config.json", R"({"added_tokens_decoder": {"x": {"content": "<new>"}}})");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("added_tokens_decoder"), HasSubstr("\"x\"")));
}

TEST_F(SmallTokenizer, TextThatIsNotUtf8IsRefusedWithThePlace) {
  const auto tokenizer = open();
  const std::pair<std::string, std::size_t> texts[] = {{"ab\xff", 2},       {"\x80", 0},
                                                       {"a\xc3", 1},        {"\xc0\xaf", 0},
                                                       {"\xed\xa0\x80", 0}, {"ok\xf4\x90\x80\x80", 2},
                                                       {"\xe0\x80\x80", 0}, {"\xf5\x80\x80\x80", 0}};
  for (const auto& [text, offset] : texts) {
    try {
      tokenizer->encode(text);
      ADD_FAILURE() << "accepted";
    } catch (const InvalidUtf8& error) {
      EXPECT_EQ(error.byte_offset, offset);
      EXPECT_THAT(error.what(), HasSubstr("byte " + std::to_string(offset)));
    }
  }
}

TEST_F(SmallTokenizer, DecodesBrokenCharactersAndRefusesUnknownIds) {
  EXPECT_EQ(open()->decode(std::vector<std::int64_t>{2, 6, 0}), "ab<image>a");
  EXPECT_EQ(open()->decode(std::vector<std::int64_t>{2, 6, 0}, true), "aba");
  EXPECT_THAT(message_of([&] { open()->decode(std::vector<std::int64_t>{77}); }), HasSubstr("77"));
}

TEST_F(SmallTokenizer, UnknownKindsAreNamedWithTheKnownOnes) {
  const auto refuse = [&](const char* part, const json& value) {
    const json before = description_;
    description_[part] = value;
    const std::string message = refusal();
    description_ = before;
    return message;
  };
  EXPECT_THAT(refuse("normalizer", {{"type", "Precompiled"}}),
              AllOf(HasSubstr((folder_ / "tokenizer.json").string()), HasSubstr("\"Precompiled\""), HasSubstr("NFKC")));
  EXPECT_THAT(refuse("normalizer", {{"type", "Sequence"}, {"normalizers", {{{"type", "BertNormalizer"}}}}}),
              HasSubstr("\"BertNormalizer\""));
  EXPECT_THAT(refuse("pre_tokenizer", {{"type", "Metaspace"}}),
              AllOf(HasSubstr("\"Metaspace\""), HasSubstr("ByteLevel")));
  EXPECT_THAT(refuse("post_processor", {{"type", "Other"}}),
              AllOf(HasSubstr("\"Other\""), HasSubstr("TemplateProcessing")));
  EXPECT_THAT(refuse("model", {{"type", "WordPiece"}}), AllOf(HasSubstr("\"WordPiece\""), HasSubstr("BPE")));
  EXPECT_THAT(refuse("normalizer", {{"kind", "NFC"}}), HasSubstr("\"type\""));
  EXPECT_THAT(refuse("pre_tokenizer", "ByteLevel"), HasSubstr("pre_tokenizer"));
}

TEST_F(SmallTokenizer, BrokenModelsAreRefused) {
  const auto refuse = [&](const char* key, const json& value) {
    const json before = description_;
    description_["model"][key] = value;
    const std::string message = refusal();
    description_ = before;
    return message;
  };
  EXPECT_THAT(refuse("merges", {"a c"}), AllOf(HasSubstr("merges"), HasSubstr("\"ac\"")));
  EXPECT_THAT(refuse("merges", {"a b c"}), HasSubstr("two tokens"));
  EXPECT_THAT(refuse("merges", {{"a"}}), HasSubstr("two tokens"));
  EXPECT_THAT(refuse("vocab", {{"a", -1}}), HasSubstr("token id"));
  EXPECT_THAT(refuse("vocab", {{"a", 1.5}}), HasSubstr("token id"));
  EXPECT_THAT(refuse("vocab", json::array()), HasSubstr("an object"));
  EXPECT_THAT(refuse("unk_token", "<unk>"), HasSubstr("\"<unk>\""));
  EXPECT_THAT(refuse("dropout", 0.1), HasSubstr("dropout"));
  EXPECT_THAT(message_of([&] {
                write("tokenizer.json", "{\"model\": ");
                Tokenizer::open(folder_);
              }),
              HasSubstr("not valid JSON"));
  EXPECT_THAT(message_of([&] { Tokenizer::open(folder_ / "none"); }), HasSubstr("tokenizer.json is missing"));
}

TEST_F(SmallTokenizer, AnUnbrokenTextOfAMegabyteDoesNotHang) {
  // The square of this length would outlast the test's time-out by far.
  std::string text;
  for (int i = 0; i < 500'000; ++i) text += i % 3 == 0 ? "ab" : "ba";
  EXPECT_GT(open()->encode(text).ids.size(), 100'000u);
}

TEST(Regex, RefusesWhatOnigurumaAndPcre2ReadDifferently) {
  for (const char* pattern : {R"(\h+)", "[a[bc]]", "[a&&b]", "a{,3}", "a{1,3}+", "(?m)a.", R"([\S])", R"(\1)", "[a",
                              "(a", R"(\p{Nonsense})", R"(\R)", "(?<name>a)", "[]a]"}) {
    EXPECT_THAT(message_of([&] { detail::Regex regex(pattern); }),
                AllOf(StartsWith("tokenizers: pattern \""), HasSubstr(pattern)))
        << pattern;
  }
}

TEST(Regex, FindsEveryMatchAndStepsOverEmptyOnes) {
  const auto spans = [](const char* pattern, std::string_view text) {
    std::vector<std::pair<std::size_t, std::size_t>> found;
    for (const detail::Span span : detail::Regex(pattern).matches(text)) found.emplace_back(span.begin, span.end);
    return found;
  };
  using Pair = std::pair<std::size_t, std::size_t>;
  EXPECT_THAT(spans("a+", "aab aa"), ElementsAre(Pair(0, 2), Pair(4, 6)));
  EXPECT_THAT(spans("x*", "\xc3\xa9x"), ElementsAre(Pair(0, 0), Pair(2, 3), Pair(3, 3)));
  EXPECT_THAT(spans(R"(\s)", "a\xe1\xa0\x8e b"), ElementsAre(Pair(4, 5))) << "U+180E is no space any more";
}

}  // namespace
}  // namespace reelfarm::tokenizers

#include "pipeline/text_encoders/prompt_encoder.hpp"

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "pipeline/text_encoders/errors.hpp"
#include "pipeline/video/image_reader.hpp"
#include "pipeline/weights/bundle.hpp"
#include "tests/text_encoders/reference.hpp"

namespace reelfarm::text_encoders {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(REELFARM_REFERENCE_DIR) / "text_prompts";

struct Case {
  int index;
  std::string bundle;
  Branch branch;
  std::string prompt;
  at::ScalarType dtype;
};

std::vector<Case> cases() {
  static const std::map<std::string, Branch> kBranches{
      {"t2i", Branch::t2i}, {"t2v", Branch::t2v}, {"i2v", Branch::i2v}};
  std::ifstream stream(kFolder / "cases.json");
  std::vector<Case> result;
  for (const nlohmann::json& json : nlohmann::json::parse(stream)) {
    result.push_back({static_cast<int>(result.size()), json.at("bundle"), kBranches.at(json.at("branch")),
                      json.at("prompt"), json.at("dtype") == "bf16" ? at::kBFloat16 : at::kFloat});
  }
  return result;
}

weights::Bundle bundle(const std::string& name) {
  return weights::Bundle::open(kFolder / name);
}

const video::Image& photo() {
  static const video::Image image = video::read_image(kFolder / "photo.png");
  return image;
}

at::Tensor expected(int index, const std::string& part, at::ScalarType dtype) {
  const nn::ParameterReader reader(weights::TensorSource::open(kFolder / "reference.safetensors"), {at::kCPU, dtype});
  const std::string name = std::to_string(index) + "." + part;
  return reader.tensor(name, reader.shape(name));
}

TEST(PromptEncoder, AgreesWithThePipelinesOfDiffusersOnEveryPrompt) {
  std::map<std::pair<std::string, at::ScalarType>, PromptEncoder> encoders;
  for (const Case& test : cases()) {
    SCOPED_TRACE(test.bundle + ": " + test.prompt);
    const auto [place, added] =
        encoders.try_emplace({test.bundle, test.dtype}, bundle(test.bundle), nn::Placement{at::kCPU, test.dtype});
    const double tolerance = test.dtype == at::kFloat ? kFloatTolerance : kHalfTolerance;
    const PromptEmbedding embedding = place->second.encode(test.prompt, &photo(), test.branch);
    EXPECT_TRUE(close(embedding.states, expected(test.index, "states", test.dtype), tolerance));
    EXPECT_TRUE(close(embedding.pooled, expected(test.index, "pooled", test.dtype), tolerance));
  }
  EXPECT_EQ(encoders.size(), 7);
}

TEST(PromptEncoder, CountsTokensAsTheReferenceKeepsThem) {
  for (const Case& test : cases()) {
    if (test.branch == Branch::i2v) continue;
    SCOPED_TRACE(test.prompt);
    const TokenCount count = PromptEncoder(bundle(test.bundle), {}).count_tokens(test.prompt, test.branch);
    EXPECT_EQ(count.used, expected(test.index, "states", test.dtype).size(0));
    EXPECT_EQ(count.limit, 256);
    EXPECT_EQ(count.clip_limit, 77);
  }
}

TEST(PromptEncoder, TakesAPromptThatFillsItsRoomAndRefusesOneTokenMore) {
  for (const auto& [name, branch] : {std::pair{"t2v", Branch::t2v}, std::pair{"latent_concat", Branch::i2v}}) {
    const PromptEncoder encoder(bundle(name), {});
    std::string prompt = "cat";
    while (encoder.count_tokens(prompt, branch).used < 256) prompt += " a";
    EXPECT_EQ(encoder.count_tokens(prompt, branch).used, 256);
    EXPECT_GT(encoder.count_tokens(prompt, branch).clip_used, 77);
    try {
      encoder.count_tokens(prompt + " a", branch);
      FAIL() << "accepted";
    } catch (const PromptError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("257 tokens"));
      EXPECT_THAT(error.what(), testing::HasSubstr("at most 256"));
    }
  }
}

TEST(PromptEncoder, RefusesPromptsThatAreEmptyOrNotUtf8) {
  const PromptEncoder encoder(bundle("t2v"), {});
  for (const char* prompt : {"", "  \n\t", "\u3000\u00a0", "a\xff", "\xc3", "\xed\xa0\x80"}) {
    EXPECT_THROW(encoder.count_tokens(prompt, Branch::t2v), PromptError) << testing::PrintToString(prompt);
  }
}

TEST(PromptEncoder, RefusesTheImageTokenInAPrompt) {
  EXPECT_THROW(PromptEncoder(bundle("latent_concat"), {}).count_tokens("a <image> b", Branch::i2v), PromptError);
}

TEST(PromptEncoder, RefusesABranchThatTheBundleDoesNotHave) {
  EXPECT_THROW(PromptEncoder(bundle("latent_concat"), {}).count_tokens("cat", Branch::t2v), weights::WeightError);
  EXPECT_THROW(PromptEncoder(bundle("token_replace"), {}).count_tokens("cat", Branch::t2i), weights::WeightError);
}

TEST(PromptEncoder, NeedsTheImageWhereItSeesOne) {
  PromptEncoder encoder(bundle("token_replace"), {});
  EXPECT_TRUE(encoder.sees_image(Branch::i2v));
  EXPECT_THROW(encoder.encode("cat", nullptr, Branch::i2v), PromptError);
  EXPECT_FALSE(PromptEncoder(bundle("t2v"), {}).sees_image(Branch::t2v));
}

TEST(PromptEncoder, GivesTheSameBitsAfterItWasReleased) {
  PromptEncoder encoder(bundle("latent_concat"), {});
  EXPECT_FALSE(encoder.loaded());
  const PromptEmbedding first = encoder.encode("a cat", &photo(), Branch::i2v);
  EXPECT_TRUE(encoder.loaded());
  encoder.release();
  EXPECT_FALSE(encoder.loaded());
  const PromptEmbedding second = encoder.encode("a cat", &photo(), Branch::i2v);
  EXPECT_TRUE(at::equal(first.states, second.states));
  EXPECT_TRUE(at::equal(first.pooled, second.pooled));
  encoder.move_to({at::kCPU, at::kBFloat16});
  EXPECT_TRUE(encoder.loaded());
  EXPECT_EQ(encoder.encode("a cat", &photo(), Branch::i2v).states.scalar_type(), at::kBFloat16);
}

// A copy of a bundle's folder in which one file can be spoilt.
class SpoiltBundle : public testing::Test {
 protected:
  void SetUp() override {
    folder = std::filesystem::path(testing::TempDir()) / ("spoilt_" + std::to_string(getpid()));
    std::filesystem::remove_all(folder);
    std::filesystem::copy(kFolder / "latent_concat", folder, std::filesystem::copy_options::recursive);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  void edit(const std::string& file, const std::function<void(nlohmann::json&)>& change) {
    nlohmann::json json;
    std::ifstream(folder / file) >> json;
    change(json);
    std::ofstream(folder / file) << json;
  }
  std::string message() {
    try {
      PromptEncoder(weights::Bundle::open(folder), {}).load();
    } catch (const weights::WeightError& error) {
      return error.what();
    }
    return "accepted";
  }

  std::filesystem::path folder;
};

TEST_F(SpoiltBundle, WithoutATokenizerNamesTheFolder) {
  std::filesystem::remove(folder / "tokenizer_2/tokenizer.json");
  EXPECT_THAT(message(), testing::HasSubstr("tokenizer_2"));
}

TEST_F(SpoiltBundle, WithAnImageTokenThatTheTokenizerDoesNotKnowNamesBoth) {
  edit("text_encoder/config.json", [](nlohmann::json& json) { json["image_token_index"] = 3; });
  EXPECT_THAT(message(), testing::HasSubstr("image_token_index"));
}

TEST_F(SpoiltBundle, WithATowerOfAnotherSizeNamesTheRows) {
  std::ofstream(folder / "reelfarm.json") << R"({"schema": 1, "image_prompt": {"image_embed_length": 26}})";
  EXPECT_THAT(message(), testing::HasSubstr("25 rows"));
}

TEST_F(SpoiltBundle, WithFewerLayersThanWeightsNamesTheTensors) {
  edit("text_encoder_2/config.json", [](nlohmann::json& json) { json["num_hidden_layers"] = 1; });
  EXPECT_THAT(message(), testing::HasSubstr("encoder.layers.1."));
}

TEST_F(SpoiltBundle, WithMoreLayersThanWeightsNamesTheTensor) {
  edit("text_encoder/config.json", [](nlohmann::json& json) { json["text_config"]["num_hidden_layers"] = 7; });
  EXPECT_THAT(message(), testing::HasSubstr("language_model.model.layers.4."));
}

}  // namespace
}  // namespace reelfarm::text_encoders

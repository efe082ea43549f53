#include "pipeline/text_encoders/clip_text.hpp"

#include "pipeline/weights/config.hpp"
#include "tests/text_encoders/reference.hpp"

namespace reelfarm::text_encoders {
namespace {

ClipTextConfig config_of(const nlohmann::json& json) {
  return ClipTextConfig::parse(weights::Config("config.json", json));
}

class ClipTextAgainstTransformers : public testing::TestWithParam<const char*> {
 protected:
  ReferenceCase reference{std::string("clip_text_") + GetParam()};
  ClipTextConfig config = config_of(reference.json());
};

TEST_P(ClipTextAgainstTransformers, PooledOutputAgreesInFp32) {
  const nn::ParameterReader reader = reference.model();
  const ClipText clip(reader, config);
  EXPECT_NO_THROW(reader.expect_all_read());
  EXPECT_TRUE(close(clip.pooled(reference.ids()), reference.tensor("pooled"), kFloatTolerance));
}

TEST_P(ClipTextAgainstTransformers, PooledOutputAgreesInBf16) {
  const ClipText clip(reference.model(at::kBFloat16), config);
  EXPECT_TRUE(close(clip.pooled(reference.ids()), reference.tensor("bf16_pooled"), kHalfTolerance));
}

INSTANTIATE_TEST_SUITE_P(Cases, ClipTextAgainstTransformers,
                         testing::Values("quick_gelu_legacy_eos", "gelu", "added_token"),
                         [](const auto& param_info) { return std::string(param_info.param); });

TEST(ClipText, TakesTheConfigOfAWholeClipModel) {
  const ReferenceCase reference("clip_text_gelu");
  const ClipTextConfig config = config_of({{"model_type", "clip"}, {"text_config", reference.json()}});
  EXPECT_TRUE(
      close(ClipText(reference.model(), config).pooled(reference.ids()), reference.tensor("pooled"), kFloatTolerance));
}

TEST(ClipText, RefusesTooManyTokensAndTokensOutsideItsVocabulary) {
  const ReferenceCase reference("clip_text_gelu");
  const ClipText clip(reference.model(), config_of(reference.json()));
  EXPECT_THROW(clip.pooled(std::vector<std::int64_t>(78, 1)), std::invalid_argument);
  EXPECT_THROW(clip.pooled({}), std::invalid_argument);
  EXPECT_THROW(clip.pooled(std::vector<std::int64_t>{120}), weights::WeightError);
}

}  // namespace
}  // namespace reelfarm::text_encoders

#include "pipeline/text_encoders/llava.hpp"

#include "pipeline/weights/config.hpp"
#include "tests/text_encoders/reference.hpp"

namespace reelfarm::text_encoders {
namespace {

LlavaConfig config_of(const nlohmann::json& json) {
  return LlavaConfig::parse(weights::Config("config.json", json));
}

// The cases also differ in the names of their tensors: transformers 5 as saved, 4.x, and 5 as named inside modules.
class LlavaAgainstTransformers : public testing::TestWithParam<const char*> {
 protected:
  ReferenceCase reference{std::string("llava_") + GetParam()};
  LlavaConfig config = config_of(reference.json());
};

TEST_P(LlavaAgainstTransformers, ImageFeaturesAndHiddenStatesAgreeInFp32) {
  const nn::ParameterReader reader = reference.model();
  const Llava llava(reader, config, 0);
  EXPECT_NO_THROW(reader.expect_all_read());
  const at::Tensor image = llava.encode_image(reference.tensor("pixels"));
  EXPECT_TRUE(close(image, reference.tensor("features"), kFloatTolerance));
  const at::Tensor embeddings = llava.embed(reference.ids(), image);
  EXPECT_TRUE(close(llava.language().hidden_states(embeddings, 2), reference.tensor("skip2"), kFloatTolerance));
  EXPECT_TRUE(close(llava.language().hidden_states(embeddings, 0), reference.tensor("skip0"), kFloatTolerance));
}

TEST_P(LlavaAgainstTransformers, HiddenStatesAgreeInBf16) {
  const Llava llava(reference.model(at::kBFloat16), config, 2);
  const at::Tensor image = llava.encode_image(reference.tensor("pixels").to(at::kBFloat16));
  EXPECT_TRUE(close(llava.language().hidden_states(llava.embed(reference.ids(), image), 2),
                    reference.tensor("bf16_skip2"), kHalfTolerance));
}

TEST_P(LlavaAgainstTransformers, LoadsWithoutItsVisionTower) {
  const nn::ParameterReader reader = reference.model();
  const Llava llava(reader, config, 2, /*with_vision=*/false);
  EXPECT_NO_THROW(reader.expect_all_read());
  EXPECT_THROW(llava.encode_image(reference.tensor("pixels")), std::invalid_argument);
}

INSTANTIATE_TEST_SUITE_P(Cases, LlavaAgainstTransformers, testing::Values("default", "full", "layers"),
                         [](const auto& param_info) { return std::string(param_info.param); });

TEST(Llava, RefusesAnImageThatDoesNotFillItsTokens) {
  const ReferenceCase reference("llava_default");
  const Llava llava(reference.model(), config_of(reference.json()), 2);
  EXPECT_THROW(llava.embed(reference.ids(), reference.tensor("features").slice(1, 1)), std::invalid_argument);
}

TEST(Llava, RefusesPixelsOfAnotherSize) {
  const ReferenceCase reference("llava_default");
  const Llava llava(reference.model(), config_of(reference.json()), 2);
  EXPECT_THROW(llava.encode_image(reference.tensor("pixels").slice(2, 4)), std::invalid_argument);
}

TEST(Llava, ConfigErrorsNameTheField) {
  const ReferenceCase reference("llava_default");
  nlohmann::json json = reference.json();
  json["vision_feature_layer"] = -6;
  EXPECT_THROW(config_of(json), weights::WeightError);
  json = reference.json();
  json["vision_config"]["model_type"] = "siglip_vision_model";
  EXPECT_THROW(config_of(json), weights::WeightError);
  json = reference.json();
  json["vision_feature_select_strategy"] = "cls";
  EXPECT_THROW(config_of(json), weights::WeightError);
}

}  // namespace
}  // namespace reelfarm::text_encoders

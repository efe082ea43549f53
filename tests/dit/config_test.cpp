#include "pipeline/dit/config.hpp"

#include <string>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace reelfarm::dit {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

std::string message_of(const json& config) {
  try {
    DitConfig::from_json(config, "bundle/transformer/config.json");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(DitConfig, EmptyConfigIsThePublishedTextToVideoModel) {
  const DitConfig config = DitConfig::from_json(json::object(), "test");
  EXPECT_EQ(config.width(), 3072);
  EXPECT_EQ(config.mlp_width(), 12288);
  EXPECT_EQ(config.patch_elements(config.out_channels), 64);
  EXPECT_EQ(config.condition, ImageCondition::none);
  EXPECT_TRUE(config.guidance);
}

TEST(DitConfig, VariantsAreToldApart) {
  EXPECT_EQ(DitConfig::from_json({{"in_channels", 33}, {"image_condition_type", "latent_concat"}}, "t").condition,
            ImageCondition::latent_concat);
  EXPECT_EQ(DitConfig::from_json({{"in_channels", 33}}, "t").condition, ImageCondition::latent_concat)
      << "bundles older than the field";
  EXPECT_EQ(DitConfig::from_json({{"image_condition_type", "token_replace"}}, "t").condition,
            ImageCondition::token_replace);
  EXPECT_EQ(DitConfig::from_json({{"image_condition_type", nullptr}}, "t").condition, ImageCondition::none);
}

TEST(DitConfig, MessagesNameFileKeyFoundAndExpected) {
  EXPECT_THAT(message_of({{"num_attention_heads", 0}}),
              AllOf(HasSubstr("bundle/transformer/config.json"), HasSubstr("'num_attention_heads' is 0"),
                    HasSubstr("from 1 to")));
  EXPECT_THAT(message_of({{"num_layers", "20"}}), HasSubstr("'num_layers' is \"20\", expected a whole number"));
  EXPECT_THAT(message_of({{"num_layers", 1e300}}), HasSubstr("expected a whole number"));
  EXPECT_THAT(message_of({{"rope_axes_dim", {16, 56, 57}}}), HasSubstr("sum to attention_head_dim 128"));
  EXPECT_THAT(message_of({{"rope_axes_dim", {15, 57, 56}}}), HasSubstr("three even numbers"));
  EXPECT_THAT(message_of({{"attention_head_dim", 64}}), HasSubstr("sum to attention_head_dim 64"));
  EXPECT_THAT(message_of({{"in_channels", 32}}), HasSubstr("'in_channels' is 32, expected 16"));
  EXPECT_THAT(message_of({{"in_channels", 33}, {"image_condition_type", "token_replace"}}),
              HasSubstr("'in_channels' is 33, expected 16"));
  EXPECT_THAT(message_of({{"image_condition_type", "latent_concat"}}), HasSubstr("expected 33"));
  EXPECT_THAT(message_of({{"image_condition_type", "clip"}}), HasSubstr("\"token_replace\""));
  EXPECT_THAT(message_of({{"qk_norm", "layer_norm"}}), HasSubstr("expected \"rms_norm\""));
  EXPECT_THAT(message_of({{"mlp_ratio", -1}}), HasSubstr("a positive number"));
  EXPECT_THAT(message_of({{"has_image_proj", true}}), HasSubstr("unknown key 'has_image_proj' (true)"));
  EXPECT_THAT(message_of({{"_class_name", "WanTransformer3DModel"}}),
              HasSubstr("expected \"HunyuanVideoTransformer3DModel\""));
  EXPECT_THAT(message_of(json::array()), HasSubstr("expected a JSON object, found array"));
  EXPECT_THROW(DitConfig::from_file("/nonexistent/config.json"), ConfigError);
}

}  // namespace
}  // namespace reelfarm::dit

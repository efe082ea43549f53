#include "pipeline/vae/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace reelfarm::vae {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

std::string config_with(const std::string& fields) {
  return R"({"_class_name": "AutoencoderKLHunyuanVideo")" + (fields.empty() ? "" : ", " + fields) + "}";
}

void expect_refused(const std::string& text, const std::string& words, const std::string& more = "") {
  EXPECT_THAT([&] { VaeConfig::from_json(text, "vae/config.json"); },
              ThrowsMessage<VaeError>(AllOf(HasSubstr("vae/config.json"), HasSubstr(words), HasSubstr(more))))
      << text;
}

TEST(VaeConfig, FieldsThatAreAbsentHaveTheDefaultsOfThePublishedModel) {
  const VaeConfig config = VaeConfig::from_json(config_with(""), "x");
  EXPECT_EQ(config.block_out_channels, (std::vector<std::int64_t>{128, 256, 512, 512}));
  EXPECT_EQ(config.layers_per_block, 2);
  EXPECT_EQ(config.norm_num_groups, 32);
  EXPECT_EQ(config.latent_channels, 16);
  EXPECT_DOUBLE_EQ(config.scaling_factor, 0.476986);
  EXPECT_TRUE(config.mid_block_add_attention);
}

TEST(VaeConfig, ReadsEveryField) {
  const VaeConfig config = VaeConfig::from_json(
      config_with(
          R"("block_out_channels": [6, 10, 14], "norm_num_groups": 2, "layers_per_block": 1, "latent_channels": 4,
                     "scaling_factor": 2, "mid_block_add_attention": false, "spatial_compression_ratio": 4,
                     "temporal_compression_ratio": 4, "act_fn": "silu", "in_channels": 3, "sample_tsize": 16,
                     "up_block_types": ["HunyuanVideoUpBlock3D", "HunyuanVideoUpBlock3D", "HunyuanVideoUpBlock3D"])"),
      "x");
  EXPECT_EQ(config.block_out_channels, (std::vector<std::int64_t>{6, 10, 14}));
  EXPECT_EQ(config.norm_num_groups, 2);
  EXPECT_EQ(config.layers_per_block, 1);
  EXPECT_EQ(config.latent_channels, 4);
  EXPECT_DOUBLE_EQ(config.scaling_factor, 2.0);
  EXPECT_FALSE(config.mid_block_add_attention);
  EXPECT_EQ(config.spatial_compression_ratio, 4);
}

TEST(VaeConfig, HalvesSpaceInTheFirstBlocksAndTimeInTheTwoBeforeTheLast) {
  const VaeConfig config;
  std::string plan;
  for (std::size_t i = 0; i < 4; ++i) {
    plan += std::string(config.resamples_space(i) ? "s" : "-") + (config.resamples_time(i) ? "t " : "- ");
  }
  EXPECT_EQ(plan, "s- st st -- ");
}

TEST(VaeConfig, CountsFramesWithTheFirstLatentAsOneFrame) {
  const VaeConfig config;
  EXPECT_EQ(config.sample_frames(31), 121);
  EXPECT_EQ(config.latent_frames(121), 31);
  EXPECT_EQ(config.latent_frames(1), 1);
}

TEST(VaeConfig, RefusesWhatTheArchitectureCannotBeAndSaysWhy) {
  expect_refused("{", "not JSON");
  expect_refused("[]", "JSON object");
  expect_refused("{}", "_class_name = (absent)", "AutoencoderKLHunyuanVideo");
  expect_refused(R"({"_class_name": "AutoencoderKL"})", "AutoencoderKL\"");
  expect_refused(config_with(R"("block_out_channels": [128, 250, 512, 512])"), "[128,250,512,512]", "multiples of");
  expect_refused(config_with(R"("block_out_channels": [])"), "block_out_channels = []");
  expect_refused(config_with(R"("block_out_channels": [32, -32, 32])"), "block_out_channels");
  expect_refused(config_with(R"("block_out_channels": [32, 64])"), "at least 3 blocks");
  expect_refused(config_with(R"("block_out_channels": "128")"), "list of channel counts");
  expect_refused(config_with(R"("layers_per_block": 0)"), "layers_per_block = 0", "from 1 to 64");
  expect_refused(config_with(R"("layers_per_block": 1.5)"), "layers_per_block = 1.5");
  expect_refused(config_with(R"("temporal_compression_ratio": 8)"), "temporal_compression_ratio = 8");
  expect_refused(config_with(R"("spatial_compression_ratio": 6)"), "power of two");
  expect_refused(config_with(R"("spatial_compression_ratio": 32)"), "4 blocks");
  expect_refused(config_with(R"("scaling_factor": 0)"), "scaling_factor = 0");
  expect_refused(config_with(R"("scaling_factor": "1")"), "scaling_factor");
  expect_refused(config_with(R"("act_fn": "gelu")"), "\"gelu\", expected silu or swish");
  expect_refused(config_with(R"("mid_block_add_attention": 1)"), "true or false");
  expect_refused(config_with(R"("in_channels": 4)"), "in_channels = 4");
  expect_refused(config_with(R"("down_block_types": ["HunyuanVideoDownBlock3D"])"), "down_block_types",
                 "one for each of block_out_channels");
}

TEST(VaeConfig, NamesTheFileThatIsMissing) {
  EXPECT_THAT([] { VaeConfig::load("/nonexistent/vae"); },
              ThrowsMessage<VaeError>(HasSubstr("/nonexistent/vae/config.json")));
}

}  // namespace
}  // namespace reelfarm::vae

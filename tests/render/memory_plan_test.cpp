// Plans for the demo bundle, whose parts are small: what counts is their order and that a plan keeps to its limit.
#include "pipeline/render/memory_plan.hpp"

#include <algorithm>
#include <numeric>
#include <set>
#include <string>

#include <gmock/gmock.h>

#include "pipeline/render/memory_choice.hpp"
#include "pipeline/render/memory_needs.hpp"
#include "pipeline/render/request_error.hpp"
#include "pipeline/weights/safetensors_writer.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::render {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr std::int64_t kGiB = std::int64_t{1} << 30;

class MemoryPlanOf : public ::testing::Test {
 protected:
  const weights::Bundle bundle_ = weights::Bundle::open(std::string(REELFARM_SOURCE_DIR) + "/bundles/demo");
  const nn::Placement bf16_{c10::kCPU, at::kBFloat16};
  const nn::Placement int8_{c10::kCPU, at::kBFloat16, nn::Quantisation::int8};
  MemoryRequest request_{.device_bytes = 80 * kGiB,
                         .host_bytes = 80 * kGiB,
                         .width = 960,
                         .height = 544,
                         .frames = 121,
                         .placements = {bf16_, int8_},
                         .tiles = {"diffusers", "diffusers-spatial"}};

  MemoryPlan plan() const { return plan_memory(bundle_, request_); }
};

TEST_F(MemoryPlanOf, WithMemoryEnoughEverythingStaysAndWindowsOverlap) {
  const MemoryPlan all = plan();
  EXPECT_EQ(all.residency.video_blocks, nn::kAllLayers);
  EXPECT_TRUE(all.residency.encoders);
  EXPECT_TRUE(all.residency.decode_beside);
  EXPECT_EQ(all.tiles, "diffusers");
  EXPECT_EQ(all.host_bytes, 0);
  EXPECT_THAT(all.text, HasSubstr("blocks on the GPU, text encoders too"));
}

TEST_F(MemoryPlanOf, ASmallerLimitNeverGivesAPlanThatNeedsMoreAndEachKeepsToIt) {
  std::int64_t before = plan().device_bytes;
  std::int64_t plans = 0;
  constexpr std::int64_t kStep = kGiB / 64;
  std::set<std::string> kinds;
  try {
    for (std::int64_t limit = before; limit > 0; limit -= kStep) {
      request_.device_bytes = limit;
      const MemoryPlan found = plan();
      EXPECT_LE(found.device_bytes, limit);
      EXPECT_LE(found.device_bytes, before);
      before = found.device_bytes;
      kinds.insert(found.tiles + (found.residency.encoders ? "+" : "-") + (found.residency.decode_beside ? "+" : "-"));
      ++plans;
    }
    FAIL() << "there is a plan for no memory at all";
  } catch (const RequestError& error) {
    EXPECT_THAT(error.what(), HasSubstr("on the GPU at the least"));
  }
  EXPECT_GE(plans, 3);
  EXPECT_THAT(kinds, ::testing::IsSupersetOf({"diffusers++", "diffusers--", "diffusers-spatial--"}));
}

TEST_F(MemoryPlanOf, TheFirstTilesAndPlacementThatFitAreTaken) {
  const MemoryNeeds needs = memory_needs(bundle_, request_, bf16_, "diffusers");
  request_.tiles = {"whole", "diffusers"};
  request_.device_bytes = needs.decode + 3 * kGiB;
  EXPECT_EQ(plan().tiles, "diffusers");
  EXPECT_EQ(plan().placement.quantisation, nn::Quantisation::none);
}

TEST_F(MemoryPlanOf, WithoutHostMemoryToStreamFromWeightsBecomeSmaller) {
  request_.tiles = {"diffusers-spatial"};
  // Limits at which bf16 has to stream some blocks: without host memory only int8, or nothing, fits.
  bool smaller = false;
  for (std::int64_t limit = plan().device_bytes; limit > kGiB; limit -= kGiB / 512) {
    request_.device_bytes = limit;
    request_.host_bytes = 80 * kGiB;
    if (plan().host_bytes == 0) continue;
    request_.host_bytes = plan().host_bytes - 1;
    try {
      smaller = plan().placement.quantisation == nn::Quantisation::int8;
    } catch (const RequestError& error) {
      EXPECT_THAT(error.what(), HasSubstr("of host memory for streamed weights"));
    }
    break;
  }
  EXPECT_TRUE(smaller);
}

TEST_F(MemoryPlanOf, QuantisedWeightsTakeHalf) {
  const auto blocks = [&](const nn::Placement& placement) {
    const MemoryNeeds needs = memory_needs(bundle_, request_, placement, "diffusers");
    return static_cast<double>(std::accumulate(needs.video.layers.begin(), needs.video.layers.end(), std::int64_t{0}));
  };
  EXPECT_NEAR(blocks(int8_) / blocks(bf16_), 0.5, 0.03);
}

TEST_F(MemoryPlanOf, IntegersTakeRoomForTheirSums) {
  const nn::Placement w8a8{c10::kCPU, at::kBFloat16, nn::Quantisation::w8a8};
  const MemoryNeeds weights_alone = memory_needs(bundle_, request_, int8_, "diffusers");
  const MemoryNeeds both = memory_needs(bundle_, request_, w8a8, "diffusers");
  EXPECT_EQ(both.video.layers, weights_alone.video.layers);
  // The demo's MLP has 4 x 256 outputs; 4,096 rows of their sums are in memory at once, in 32 bits.
  EXPECT_GE(both.denoise, weights_alone.denoise + 4096 * 1024 * 4);
}

TEST_F(MemoryPlanOf, RanksThatShareAWindowTakeRoomForWhatTheOthersWrite) {
  EXPECT_EQ(memory_needs(bundle_, request_, bf16_, "diffusers").exchange, 0);
  request_.ranks = 2;
  const MemoryNeeds needs = memory_needs(bundle_, request_, bf16_, "diffusers");
  // Half of 31 x 34 x 60 tokens and the text, 256 wide, in 16 bits: their q, k and v, and the result.
  EXPECT_GE(needs.exchange, 31 * 34 * 60 / 2 * 256 * 2 * 4);
  EXPECT_LT(needs.exchange, needs.denoise) << "which two ranks share";
  EXPECT_GE(plan().device_bytes, needs.exchange + needs.vae + std::max(needs.denoise, needs.decode));
}

TEST_F(MemoryPlanOf, TheTokenTableOfStreamedEncodersTakesNoneOfTheGpu) {
  const LayerBytes encoders = memory_needs(bundle_, request_, bf16_, "diffusers").encoders;
  const auto table = bundle_.tensors("text_encoder")->at("language_model.model.embed_tokens.weight").element_count();
  EXPECT_EQ(encoders.tables, static_cast<std::int64_t>(table) * 2);
  const std::int64_t layers = std::accumulate(encoders.layers.begin(), encoders.layers.end(), std::int64_t{0});
  EXPECT_EQ(encoders.on_device(nn::kAllLayers), encoders.around + layers + encoders.tables);
  std::int64_t slots = 0;
  for (const std::int64_t size : std::set<std::int64_t>(encoders.layers.begin(), encoders.layers.end()))
    slots += 2 * size;
  EXPECT_EQ(encoders.on_device(0), encoders.around + slots);
}

TEST_F(MemoryPlanOf, WhatALoraHasBesideTheWeightsStaysOnTheGpu) {
  const test::TemporaryFolder folder;
  const std::string layer = "transformer.transformer_blocks.0.attn.to_q.";
  constexpr std::int64_t kWidth = 256, kRank = 8;
  weights::SafetensorsWriter writer(folder / "lora.safetensors",
                                    {{layer + "lora_A.weight", weights::DType::f32, {kRank, kWidth}},
                                     {layer + "lora_B.weight", weights::DType::f32, {kWidth, kRank}}});
  const std::vector<std::byte> zeros(kWidth * kRank * sizeof(float));
  for (const char* factor : {"lora_A.weight", "lora_B.weight"}) writer.append(layer + factor, zeros);
  writer.finish();
  weights::Bundle with = bundle_;
  with.add_loras({{folder / "lora.safetensors", 1.0, /*apart=*/true}});
  const MemoryNeeds before = memory_needs(bundle_, request_, int8_, "diffusers");
  const MemoryNeeds after = memory_needs(with, request_, int8_, "diffusers");
  EXPECT_EQ(after.video.layers, before.video.layers);
  EXPECT_EQ(after.video.around, before.video.around + 2 * kWidth * kRank * 2);  // in bf16
}

TEST(ChooseMemory, OnTheCpuWeightsStayWhereTheyAreAndALimitIsAnsweredInWords) {
  const weights::Bundle bundle = weights::Bundle::open(std::string(REELFARM_SOURCE_DIR) + "/bundles/demo");
  const auto choose = [&](const std::string& dtype, const std::string& tiles, const std::string& limit) {
    return choose_memory(bundle, {"cpu", dtype, tiles, limit}, 160, 96, 121, 1);
  };
  const MemoryChoice usual = choose("int8", "auto", "");
  EXPECT_EQ(usual.plan.placement.quantisation, nn::Quantisation::int8);
  EXPECT_EQ(usual.plan.tiles, "diffusers");
  EXPECT_EQ(usual.plan.residency.video_blocks, nn::kAllLayers);
  EXPECT_EQ(usual.note + usual.plan.text, "");
  EXPECT_EQ(choose("fp32", "whole", "").plan.tiles, "whole");
  EXPECT_THAT(choose("fp32", "auto", "16G").note, HasSubstr("--max-memory is of GPUs"));
  EXPECT_THAT([&] { choose("fp32", "bogus", ""); }, ThrowsMessage<RequestError>(HasSubstr("diffusers-spatial")));
  EXPECT_THROW(choose("fp32", "auto", "lots"), RequestError);
}

TEST(ParseMemory, TakesPowersOf1024AndNothingElse) {
  EXPECT_EQ(parse_memory("16G"), 16 * kGiB);
  EXPECT_EQ(parse_memory("16GiB"), 16 * kGiB);
  EXPECT_EQ(parse_memory("1.5GB"), kGiB * 3 / 2);
  EXPECT_EQ(parse_memory("512M"), kGiB / 2);
  EXPECT_EQ(parse_memory("1048576"), 1 << 20);
  for (const char* wrong : {"", "G", "-1G", "0", "16X", "16GiBs", "nan", "inf", "1e30T", "16 G"}) {
    EXPECT_THAT([&] { parse_memory(wrong); }, ThrowsMessage<RequestError>(HasSubstr("--max-memory"))) << wrong;
  }
}

}  // namespace
}  // namespace reelfarm::render

#include "pipeline/weights/detail/scaled_weights.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "pipeline/weights/detail/float_bits.hpp"
#include "pipeline/weights/detail/other_models.hpp"
#include "tests/weights/raw_safetensors.hpp"

namespace reelfarm::weights {
namespace {

using detail::NamedTensors;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;

TEST(FloatBits, SmallTypesHaveTheValuesOfTheirFormats) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(detail::from_f16(0x3C00), 1.0F);
  EXPECT_EQ(detail::from_f16(0xC000), -2.0F);
  EXPECT_EQ(detail::from_f16(0x7BFF), 65504.0F);
  EXPECT_EQ(detail::from_f16(0x0001), 0x1p-24F);
  EXPECT_EQ(detail::from_f16(0x83FF), -1023 * 0x1p-24F);
  EXPECT_EQ(detail::from_f16(0xFC00), -infinity);
  EXPECT_TRUE(std::isnan(detail::from_f16(0x7E00)));
  EXPECT_EQ(detail::from_f8_e4m3(0x38), 1.0F);
  EXPECT_EQ(detail::from_f8_e4m3(0x7E), 448.0F);
  EXPECT_EQ(detail::from_f8_e4m3(0x81), -0x1p-9F);
  EXPECT_TRUE(std::isnan(detail::from_f8_e4m3(0xFF)));
  EXPECT_EQ(detail::from_f8_e5m2(0x7B), 57344.0F);
  EXPECT_EQ(detail::from_f8_e5m2(0x7C), infinity);
  EXPECT_EQ(detail::to_bf16(1.0F), 0x3F80);
  EXPECT_EQ(detail::to_bf16(1.0F + 0x1p-8F), 0x3F80) << "a tie goes to the even one";
  EXPECT_EQ(detail::to_bf16(1.0F + 3 * 0x1p-8F), 0x3F82);
  EXPECT_EQ(detail::to_bf16(infinity), 0x7F80);
  EXPECT_EQ(detail::to_bf16(std::numeric_limits<float>::max()), 0x7F80);
  EXPECT_TRUE(std::isnan(detail::from_bf16(detail::to_bf16(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_EQ(detail::from_bf16(0xBF80), -1.0F);
}

class ScaledWeights : public ::testing::Test {
 protected:
  TensorInfo tensor(DType dtype, std::vector<std::int64_t> shape, const std::string& bytes) {
    kept_.push_back(std::make_unique<std::string>(bytes));
    return {"", dtype, std::move(shape), std::as_bytes(std::span(*kept_.back())), "file"};
  }
  TensorInfo floats(std::vector<float> values, std::vector<std::int64_t> shape) {
    std::string bytes(values.size() * sizeof(float), '\0');
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return tensor(DType::f32, std::move(shape), bytes);
  }
  static std::vector<float> values(const TensorInfo& tensor) {
    const TensorBytes stored = read(tensor);
    std::vector<float> numbers(stored.bytes.size() / 2);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      std::uint16_t bits = 0;
      std::memcpy(&bits, stored.bytes.data() + 2 * i, 2);
      numbers[i] = detail::from_bf16(bits);
    }
    return numbers;
  }
  static std::string refusal(NamedTensors tensors) {
    return message_of<WeightError>([&] { detail::apply_comfy_scales(tensors, "it"); });
  }

  const std::string kOneTwo = "\x38\x40\xB8\xC0";  // 1, 2, -1, -2 in e4m3

 private:
  std::vector<std::unique_ptr<std::string>> kept_;
};

TEST_F(ScaledWeights, OneScaleOrOneARow) {
  NamedTensors tensors{{"a.weight", tensor(DType::f8_e4m3, {2, 2}, kOneTwo)},
                       {"a.scale_weight", floats({0.5F}, {})},
                       {"a.scale_input", floats({3}, {})},
                       {"b.weight", tensor(DType::f8_e4m3, {2, 2}, kOneTwo)},
                       {"b.weight_scale", floats({2, 4}, {2, 1})},
                       {"b.comfy_quant", tensor(DType::u8, {27}, R"({"format":"float8_e4m3fn"} )")},
                       {"c.weight", floats({7}, {1})},
                       {"c.scale_weight", floats({1}, {})},
                       {"scaled_fp8", tensor(DType::f8_e4m3, {0}, "")}};
  EXPECT_TRUE(detail::apply_comfy_scales(tensors, "it"));
  EXPECT_EQ(tensors.size(), 3U);
  EXPECT_EQ(tensors.at("a.weight").dtype, DType::bf16);
  EXPECT_EQ(values(tensors.at("a.weight")), (std::vector<float>{0.5F, 1, -0.5F, -1}));
  EXPECT_EQ(values(tensors.at("b.weight")), (std::vector<float>{2, 4, -4, -8}));
  EXPECT_EQ(tensors.at("c.weight").dtype, DType::f32) << "a layer that stayed as it was has a scale of one";
}

TEST_F(ScaledWeights, RefusesScalesThatDoNotFit) {
  const TensorInfo fp8 = tensor(DType::f8_e4m3, {2, 2}, kOneTwo);
  EXPECT_THAT(refusal({{"a.scale_weight", floats({1}, {})}}), AllOf(HasSubstr("\"a\""), HasSubstr("no such weight")));
  EXPECT_THAT(refusal({{"a.weight", fp8}, {"a.scale_weight", floats({1, 2, 3}, {3})}}),
              AllOf(HasSubstr("3 scales"), HasSubstr("[2,2]")));
  EXPECT_THAT(refusal({{"a.weight", floats({1}, {1})}, {"a.scale_weight", floats({2}, {})}}), HasSubstr("type F32"));
  EXPECT_THAT(refusal({{"a.weight", fp8}, {"a.comfy_quant", tensor(DType::u8, {18}, R"({"format":"nvfp4"})")}}),
              HasSubstr("\"nvfp4\""));
  EXPECT_THAT(refusal({{"a.weight", fp8}, {"a.scale_weight", tensor(DType::u8, {1}, "x")}}), HasSubstr("type U8"));
}

TEST_F(ScaledWeights, AMapMustFitItsWeights) {
  const auto apply = [&](std::vector<std::pair<std::string, float>> scales) {
    NamedTensors tensors{{"a.weight", tensor(DType::f8_e4m3, {2, 2}, kOneTwo)},
                         {"b.weight", tensor(DType::f8_e4m3, {2, 2}, kOneTwo)}};
    std::vector<TensorInfo> map;
    for (const auto& [name, value] : scales) {
      map.push_back(floats({value}, {1}));
      map.back().name = name;
    }
    EXPECT_TRUE(detail::is_scale_map(map));
    detail::apply_scale_map(tensors, map, "it");
    return values(tensors.at("b.weight"));
  };
  EXPECT_EQ(apply({{"a", 1}, {"module.b", 2}}), (std::vector<float>{2, 4, -2, -4}));
  EXPECT_THAT(message_of<WeightError>([&] { apply({{"a", 1}}); }), HasSubstr("without a scale in the map: b.weight"));
  EXPECT_THAT(message_of<WeightError>([&] { apply({{"a", 1}, {"b", 1}, {"c", 1}}); }), HasSubstr("not: c"));
}

TEST(OtherModels, AreToldApartByTheirNames) {
  using detail::looks_like;
  EXPECT_EQ(looks_like({"blocks.0.self_attn.q.weight", "blocks.0.cross_attn.q.weight", "head.modulation"}), "Wan");
  EXPECT_EQ(
      looks_like({"patchify_proj.weight", "adaln_single.linear.weight", "transformer_blocks.0.scale_shift_table"}),
      "LTX-Video");
  EXPECT_EQ(looks_like({"double_blocks.0.img_attn.qkv.weight", "img_in.weight", "single_blocks.0.linear1.weight"}),
            "FLUX");
  EXPECT_EQ(looks_like({"a.lora_down.weight", "a.lora_up.weight", "a.alpha"}), "a LoRA");
  EXPECT_EQ(looks_like({"something.else"}), "");
  const auto others = detail::looks_like({"double_blocks.0.img_attn.qkv.weight", "img_in.weight",
                                          "txt_in.individual_token_refiner.blocks.0.norm1.weight"});
  EXPECT_EQ(others, "") << "HunyuanVideo has what FLUX has, and a refiner";
}

}  // namespace
}  // namespace reelfarm::weights

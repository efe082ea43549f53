// LoRAs against what diffusers and plain arithmetic make of them (tests/reference/loras.py).
#include "pipeline/weights/lora.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "pipeline/weights/bundle.hpp"
#include "pipeline/weights/convert.hpp"
#include "pipeline/weights/detail/expected_tensors.hpp"
#include "pipeline/weights/detail/key_map.hpp"
#include "pipeline/weights/detail/weight_kind.hpp"
#include "pipeline/weights/detail/widen.hpp"
#include "pipeline/weights/tensor_source.hpp"
#include "pipeline/weights/verify.hpp"
#include "tests/weights/saved_bundle.hpp"

namespace reelfarm::weights {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::message_of;
using testing::TemporaryFolder;
using testing::write_text;

const fs::path kFolder = fs::path(REELFARM_REFERENCE_DIR) / "loras";

using Source = std::shared_ptr<const TensorSource>;

Source with(const std::string& base, const std::vector<Lora>& loras) {
  return TensorSource::with_loras(TensorSource::open(kFolder / base), loras);
}

std::vector<double> doubles(const TensorInfo& tensor) {
  const TensorBytes stored = read(tensor);
  std::vector<double> values(tensor.element_count());
  std::memcpy(values.data(), stored.bytes.data(), stored.bytes.size());
  return values;
}

/// Largest |found - expected| in units of |expected| + 1.
double worst_error(const TensorInfo& found, const TensorInfo& expected) {
  EXPECT_EQ(found.shape, expected.shape);
  std::vector<float> have(found.element_count());
  detail::widen(found.dtype, read(found).bytes, have);
  const std::vector<double> want = doubles(expected);
  double worst = 0;
  for (std::size_t i = 0; i < want.size(); ++i)
    worst = std::max(worst, std::abs(have[i] - want[i]) / (std::abs(want[i]) + 1));
  return worst;
}

constexpr double kFp32 = 2e-6;
constexpr double kBf16 = 0x1.01p-8;  // rounded once: half a unit in the last place

/// `expected` is in double precision. Exactly `changed` tensors differ from the base.
void expect_merged(const Source& found, const std::string& expected, const std::string& base, double tolerance,
                   std::size_t changed) {
  const auto want = TensorSource::open(kFolder / (expected + ".expected.safetensors"));
  const auto before = TensorSource::open(kFolder / base);
  EXPECT_EQ(found->names(), want->names());
  std::size_t different = 0;
  for (const std::string& name : want->names()) {
    const TensorInfo& tensor = found->at(name);
    EXPECT_EQ(tensor.dtype, before->at(name).dtype) << name;
    EXPECT_LE(worst_error(tensor, want->at(name)), tolerance) << name;
    if (!std::ranges::equal(read(tensor).bytes, read(before->at(name)).bytes)) ++different;
  }
  EXPECT_EQ(different, changed);
}

// 14 layers of Tencent's become so many of ours.
constexpr std::size_t kChanged = 3 + 3 + 1 + 1 + 1 + 1 + 4 + 1 + 1 + 3 + 1 + 1 + 1 + 1;

TEST(LoraValues, KohyasAlphaCounts) {
  expect_merged(with("base.safetensors", {{kFolder / "kohya.safetensors", 0.7}}), "kohya", "base.safetensors", kFp32,
                kChanged);
}

TEST(LoraValues, ComfysNamesInBf16FromEitherFormat) {
  for (const char* file : {"comfy.safetensors", "comfy.pt"}) {
    SCOPED_TRACE(file);
    expect_merged(with("base.safetensors", {{kFolder / file}}), "comfy", "base.safetensors", kFp32, kChanged);
  }
}

TEST(LoraValues, WeightsInBf16AreRoundedOnce) {
  expect_merged(with("base_bf16.safetensors", {{kFolder / "comfy.safetensors"}}), "comfy_bf16", "base_bf16.safetensors",
                kBf16, kChanged);
}

TEST(LoraValues, TencentsNamesMeanWhatDiffusersMakesOfThem) {
  expect_merged(with("base.safetensors", {{kFolder / "tencent.safetensors", -1.5}}), "tencent", "base.safetensors",
                kFp32, kChanged);
}

TEST(LoraValues, DiffusersKeepsItsAlphaInTheMetadataAndPeftHasNone) {
  std::size_t matrices = 0;
  const auto base = TensorSource::open(kFolder / "base.safetensors");
  for (const std::string& name : base->names()) matrices += base->at(name).shape.size() == 2 ? 1 : 0;
  expect_merged(with("base.safetensors", {{kFolder / "diffusers.safetensors", 0.25}}), "diffusers", "base.safetensors",
                kFp32, matrices);
  expect_merged(with("base.safetensors", {{kFolder / "peft.safetensors", 0.25}}), "peft", "base.safetensors", kFp32,
                matrices);
}

TEST(LoraValues, SeveralAreAddedOneAfterTheOther) {
  const Source two = with("base.safetensors", {{kFolder / "kohya.safetensors"}, {kFolder / "peft.safetensors", 0.5}});
  const auto want = TensorSource::open(kFolder / "two.expected.safetensors");
  for (const std::string& name : want->names()) EXPECT_LE(worst_error(two->at(name), want->at(name)), kFp32) << name;
}

TEST(LoraValues, AScaleOfZeroChangesNothing) {
  expect_merged(with("base_bf16.safetensors", {{kFolder / "kohya.safetensors", 0.0}}), "bf16_alone",
                "base_bf16.safetensors", 0, 0);
}

std::vector<float> floats(const TensorInfo& tensor) {
  return detail::floats(tensor, tensor.name);
}

/// W + up down, in double precision, is what was expected of merging; W itself is as it was.
void expect_apart(std::vector<Lora> loras, const std::string& expected, std::size_t products) {
  for (Lora& lora : loras) lora.apart = true;
  const Source found = with("base.safetensors", loras), before = TensorSource::open(kFolder / "base.safetensors"),
               want = TensorSource::open(kFolder / (expected + ".expected.safetensors"));
  EXPECT_EQ(found->names().size(), want->names().size() + 2 * products);
  std::size_t beside = 0;
  for (const std::string& name : want->names()) {
    const std::string layer = name.substr(0, name.rfind('.'));
    const TensorInfo* down = found->find(layer + ".lora_down.weight");
    if (down == nullptr || !name.ends_with(".weight")) {
      EXPECT_LE(worst_error(found->at(name), want->at(name)), kFp32) << name;
      continue;
    }
    ++beside;
    EXPECT_TRUE(std::ranges::equal(read(found->at(name)).bytes, read(before->at(name)).bytes)) << name;
    const TensorInfo& up = found->at(layer + ".lora_up.weight");
    const std::size_t rows = static_cast<std::size_t>(up.shape.at(0)), ranks = static_cast<std::size_t>(up.shape.at(1)),
                      columns = static_cast<std::size_t>(down->shape.at(1));
    ASSERT_EQ(down->shape.at(0), up.shape.at(1));
    const std::vector<float> base = floats(before->at(name)), left = floats(up), right = floats(*down);
    const std::vector<double> merged = doubles(want->at(name));
    double worst = 0;
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t column = 0; column < columns; ++column) {
        double sum = base[row * columns + column];
        for (std::size_t k = 0; k < ranks; ++k)
          sum += static_cast<double>(left[row * ranks + k]) * right[k * columns + column];
        const double wanted = merged[row * columns + column];
        worst = std::max(worst, std::abs(sum - wanted) / (std::abs(wanted) + 1));
      }
    }
    EXPECT_LE(worst, kFp32) << name;
  }
  EXPECT_EQ(beside, products);
}

TEST(LoraApart, FactorsBesideTheWeightsComeToWhatDiffusersMerges) {
  const auto base = TensorSource::open(kFolder / "base.safetensors");
  std::size_t products = 0;
  for (const std::string& name : base->names())
    products += detail::kind_of(name, base->at(name).shape.size()) == detail::WeightKind::product ? 1 : 0;
  expect_apart({{kFolder / "diffusers.safetensors", 0.25}}, "diffusers", products);
  // Of Tencent's fused layers the rows of `up` are cut: 14 of its layers change these many products of blocks.
  constexpr std::size_t kProducts = 3 + 3 + 1 + 1 + 1 + 4 + 1;
  expect_apart({{kFolder / "tencent.safetensors", -1.5}}, "tencent", kProducts);
  expect_apart({{kFolder / "kohya.safetensors", 0.7}}, "kohya", kProducts);
  expect_apart({{kFolder / "kohya.safetensors"}, {kFolder / "peft.safetensors", 0.5}}, "two", products);
}

TEST(LoraApart, OneMayBeAddedAndAnotherBeside) {
  const Source mixed = with(
      "base.safetensors", {{kFolder / "kohya.safetensors", 0.7}, {kFolder / "peft.safetensors", 0.5, /*apart=*/true}});
  const Source added = with("base.safetensors", {{kFolder / "kohya.safetensors", 0.7}});
  const std::string layer = "transformer_blocks.0.attn.to_q";
  EXPECT_TRUE(std::ranges::equal(read(mixed->at(layer + ".weight")).bytes, read(added->at(layer + ".weight")).bytes));
  EXPECT_NE(mixed->find(layer + ".lora_up.weight"), nullptr);
  EXPECT_EQ(added->find(layer + ".lora_up.weight"), nullptr);
}

/// A file of rank 1 with these layers: name before the ending -> (rows, columns).
using Layers = std::map<std::string, std::pair<std::int64_t, std::int64_t>>;
fs::path write_lora(const fs::path& file, const Layers& layers, const std::string& up = ".lora_B.weight",
                    const std::string& down = ".lora_A.weight") {
  std::vector<SafetensorsWriter::Declaration> declarations;
  for (const auto& [name, size] : layers) {
    declarations.push_back({name + up, DType::bf16, {size.first, 1}});
    declarations.push_back({name + down, DType::bf16, {1, size.second}});
  }
  SafetensorsWriter writer(file, declarations);
  for (const auto& declaration : declarations)
    writer.append(declaration.name,
                  std::vector<std::byte>(2 * static_cast<std::size_t>(declaration.shape[0] * declaration.shape[1])));
  writer.finish();
  return file;
}

/// The 13 B text-to-video transformer, as shapes.
std::vector<TensorInfo> whole_model() {
  const detail::ExpectedTensors expected =
      detail::expected_transformer(Config("config.json", nlohmann::json::object()));
  std::vector<TensorInfo> tensors;
  for (const auto& [name, shape] : expected.shapes()) tensors.push_back({name, DType::bf16, shape, {}, "file"});
  return tensors;
}

std::string flat(std::string name) {
  std::ranges::replace(name, '.', '_');
  return name;
}

class WholeLora : public ::testing::Test {
 protected:
  /// All layers that a LoRA can change, as `scheme` names them.
  Layers published(detail::TransformerNames scheme) const {
    std::map<std::string, const TensorInfo*> ours;
    for (const TensorInfo& tensor : model_) ours.emplace(tensor.name, &tensor);
    Layers layers;
    for (const auto& [name, rule] : detail::transformer_keys(scheme, {20, 40, 2})) {
      const TensorInfo& first = *ours.at(rule.ours[0]);
      if (!name.ends_with(".weight") || first.shape.size() < 2) continue;
      std::int64_t rows = 0;
      for (const std::string& part : rule.ours) rows += ours.at(part)->shape[0];
      layers[name.substr(0, name.size() - 7)] = {rows,
                                                 static_cast<std::int64_t>(first.element_count()) / first.shape[0]};
    }
    return layers;
  }
  Layers diffusers() const {
    Layers layers;
    for (const TensorInfo& tensor : model_)
      if (tensor.name.ends_with(".weight") && tensor.shape.size() >= 2)
        layers[tensor.name.substr(0, tensor.name.size() - 7)] = {
            tensor.shape[0], static_cast<std::int64_t>(tensor.element_count()) / tensor.shape[0]};
    return layers;
  }
  static Layers renamed(const Layers& layers, const std::string& prefix, bool flattened) {
    Layers made;
    for (const auto& [name, size] : layers) made[prefix + (flattened ? flat(name) : name)] = size;
    return made;
  }
  void expect_all_changed(const fs::path& file) const {
    std::size_t changed = 0, matrices = 0;
    for (const TensorInfo& tensor : with_loras(model_, {{file}})) changed += tensor.decode ? 1 : 0;
    for (const TensorInfo& tensor : model_) matrices += tensor.shape.size() >= 2 ? 1 : 0;
    EXPECT_EQ(changed, matrices);
  }
  std::string refusal(const fs::path& file) const {
    return message_of<WeightError>([&] { with_loras(model_, {{file}}); });
  }

  const std::vector<TensorInfo> model_ = whole_model();
  TemporaryFolder folder_;
};

TEST_F(WholeLora, EveryLayerOfThe13BModelIsKnownByAllItsNames) {
  const auto tencent = published(detail::TransformerNames::tencent), comfy = published(detail::TransformerNames::comfy);
  const fs::path file = folder_ / "lora.safetensors";
  expect_all_changed(write_lora(file, renamed(tencent, "lora_unet_", true), ".lora_up.weight", ".lora_down.weight"));
  expect_all_changed(write_lora(file, renamed(comfy, "lora_unet_", true), ".lora_up.weight", ".lora_down.weight"));
  expect_all_changed(write_lora(file, renamed(comfy, "diffusion_model.", false)));
  expect_all_changed(write_lora(file, renamed(tencent, "transformer.", false)));
  expect_all_changed(write_lora(file, renamed(diffusers(), "transformer.", false)));
  expect_all_changed(
      write_lora(file, renamed(diffusers(), "lora_unet_", true), ".lora_up.weight", ".lora_down.weight"));
  expect_all_changed(write_lora(file, renamed(diffusers(), "base_model.model.", false), ".lora_B.default.weight",
                                ".lora_A.default.weight"));
}

TEST_F(WholeLora, OneForAnotherModelIsNamed) {
  const fs::path file = folder_ / "lora.safetensors";
  const std::pair<const char*, const char*> cases[] = {
      {"diffusion_model.blocks.3.self_attn.q", "Wan"},
      {"lora_unet_blocks_12_cross_attn_k", "Wan"},
      {"transformer.transformer_blocks.0.img_mlp.net.2", "Qwen-Image"},
      {"lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q", "Stable Diffusion"}};
  for (const auto& [layer, model] : cases)
    EXPECT_THAT(refusal(write_lora(file, {{layer, {8, 8}}})),
                AllOf(HasSubstr("1 unknown layers: " + std::string(layer)),
                      HasSubstr("looks like one for " + std::string(model))));
  EXPECT_THAT(refusal(write_lora(file, {{"transformer.transformer_blocks.0.attn1.to_q", {8, 8}},
                                        {"transformer.transformer_blocks.0.attn2.to_q", {8, 8}}})),
              HasSubstr("looks like one for LTX-Video"));
  // Its layers have names and shapes of ours, but there are fewer.
  Layers flux;
  for (int i = 0; i < 19; ++i) flux["lora_unet_double_blocks_" + std::to_string(i) + "_img_attn_qkv"] = {9216, 3072};
  for (int i = 0; i < 38; ++i) flux["lora_unet_single_blocks_" + std::to_string(i) + "_linear1"] = {21504, 3072};
  EXPECT_THAT(refusal(write_lora(file, flux, ".lora_up.weight", ".lora_down.weight")),
              AllOf(HasSubstr("kohya's names (lora_unet_*.lora_"), HasSubstr("looks like one for FLUX")));
}

TEST_F(WholeLora, WhatDoesNotFitIsListedWithTheAssumedForm) {
  const fs::path file = folder_ / "lora.safetensors";
  Layers wide;
  for (int i = 0; i < 12; ++i)
    wide["diffusion_model.double_blocks." + std::to_string(i) + ".img_attn_qkv"] = {15360, 5120};
  EXPECT_THAT(refusal(write_lora(file, wide)),
              AllOf(HasSubstr("ComfyUI's names (diffusion_model.*.lora_"), HasSubstr("12 layers do not fit"),
                    HasSubstr("[15360,1] x [1,5120] for 9216 x 3072"), HasSubstr("and 2 more")));
  std::vector<SafetensorsWriter::Declaration> odd{{"transformer.proj_out.lora_A.weight", DType::f32, {0}},
                                                  {"transformer.norm_out.linear.lora_B.weight", DType::f32, {0}},
                                                  {"transformer.norm_out.linear.lora_A.weight", DType::f32, {0}},
                                                  {"transformer.x.lokr_w1", DType::f32, {0}}};
  SafetensorsWriter(file, odd).finish();
  EXPECT_THAT(refusal(file),
              AllOf(HasSubstr("1 layers with one factor and not the other: transformer.proj_out"),
                    HasSubstr("1 layers whose factors do not fit each other: transformer.norm_out.linear"),
                    HasSubstr("LoKr, LoHa, DoRA"), HasSubstr("transformer.x.lokr_w1")));
  SafetensorsWriter(file, {}).finish();
  EXPECT_THAT(refusal(file), HasSubstr("it has no layers"));
}

TEST(LoraFile, IsAFileAndMayHaveAScale) {
  const TemporaryFolder folder;
  const std::string file = (folder / "a.safetensors").string(), odd = (folder / "b:2").string();
  write_text(file, "x");
  write_text(odd, "x");
  EXPECT_EQ(parse_lora(file).scale, 1.0);
  EXPECT_EQ(parse_lora(file + ":-0.75").scale, -0.75);
  EXPECT_EQ(parse_lora(file + ":-0.75").file, file);
  EXPECT_EQ(parse_lora(odd).file, odd) << "a file of that very name";
  EXPECT_THAT(message_of<WeightError>([&] { parse_lora(file + ":much"); }), HasSubstr("\"much\" is no scale"));
  EXPECT_THAT(message_of<WeightError>([&] { parse_lora(file + ":inf"); }), HasSubstr("\"inf\" is no scale"));
  EXPECT_THAT(message_of<WeightError>([&] { parse_lora(file + "x:1"); }), HasSubstr("no such file"));
  const std::string one = identity_of({{file, 0.5}});
  EXPECT_EQ(one.size(), 64 + std::string(" 0.5\n").size());
  EXPECT_NE(one, identity_of({{file, 0.25}}));
  EXPECT_NE(one, identity_of({{file, 0.5, /*apart=*/true}}));
  write_text(file, "y");
  EXPECT_NE(one, identity_of({{file, 0.5}}));
}

TEST(LoraBundle, ConvertAddsItForGood) {
  const testing::SavedBundle saved("t2v");
  const TemporaryFolder folder;
  ConvertRequest request;
  request.source = saved.path();
  request.target = folder / "new";
  request.loras = {{kFolder / "kohya.safetensors", 0.7}};
  convert(request);
  const Bundle made = Bundle::open(request.target);
  EXPECT_THAT(verify(made).problems, IsEmpty());
  Bundle laid = Bundle::open(saved.path());
  laid.add_loras(request.loras);
  const auto found = made.tensors("transformer"), expected = laid.tensors("transformer"),
             before = Bundle::open(saved.path()).tensors("transformer");
  std::size_t changed = 0;
  for (const std::string& name : expected->names()) {
    EXPECT_TRUE(std::ranges::equal(read(found->at(name)).bytes, read(expected->at(name)).bytes)) << name;
    changed += std::ranges::equal(read(found->at(name)).bytes, read(before->at(name)).bytes) ? 0 : 1;
  }
  EXPECT_EQ(changed, kChanged);
  EXPECT_TRUE(std::ranges::equal(read(made.tensors("vae")->at("decoder.conv_in.conv.weight")).bytes,
                                 read(laid.tensors("vae")->at("decoder.conv_in.conv.weight")).bytes));
}

}  // namespace
}  // namespace reelfarm::weights

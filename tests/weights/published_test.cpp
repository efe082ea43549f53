// Published forms against diffusers' own converters (tests/reference/published.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "pipeline/weights/detail/key_map.hpp"
#include "pipeline/weights/detail/other_models.hpp"
#include "pipeline/weights/detail/published.hpp"
#include "pipeline/weights/detail/strict_json.hpp"
#include "pipeline/weights/tensor_source.hpp"
#include "tests/weights/raw_safetensors.hpp"

namespace reelfarm::weights {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::message_of;
using testing::TemporaryFolder;
using Part = WeightForm::Part;
using Shapes = std::map<std::string, std::vector<std::int64_t>>;

const std::filesystem::path kFolder = std::filesystem::path(REELFARM_REFERENCE_DIR) / "published";

const json& all_shapes() {
  static const json shapes = detail::read_strict_json(kFolder / "shapes.json");
  return shapes;
}

std::vector<TensorInfo> without_data(const Shapes& shapes, DType dtype = DType::bf16) {
  std::vector<TensorInfo> tensors;
  for (const auto& [name, shape] : shapes) tensors.push_back({name, dtype, shape, {}, "file"});
  return tensors;
}

detail::Published translated(const std::vector<TensorInfo>& tensors, bool overlays = false) {
  std::vector<const TensorInfo*> stored;
  for (const TensorInfo& tensor : tensors) stored.push_back(&tensor);
  return detail::from_published(stored, {"weights: file", nullptr, false, overlays});
}

std::string refusal(const Shapes& shapes) {
  return message_of<WeightError>([&] { translated(without_data(shapes)); });
}

Shapes shapes_of(const std::vector<TensorInfo>& tensors) {
  Shapes shapes;
  for (const TensorInfo& tensor : tensors) EXPECT_TRUE(shapes.emplace(tensor.name, tensor.shape).second) << tensor.name;
  return shapes;
}

struct Case {
  const char* model;
  const char* names;
};

class WholeModels : public ::testing::TestWithParam<Case> {};

TEST_P(WholeModels, EveryPublishedTensorBecomesThoseOfDiffusers) {
  const auto [model, names] = GetParam();
  const Shapes published = all_shapes()[model][names], ours = all_shapes()[model]["ours"];
  const detail::Published made = translated(without_data(published));
  EXPECT_EQ(shapes_of(made.tensors), ours);
  std::int64_t parameters = 0;
  for (const TensorInfo& tensor : made.tensors) parameters += static_cast<std::int64_t>(tensor.element_count());
  if (all_shapes()[model].contains("parameters")) {
    EXPECT_EQ(parameters, all_shapes()[model]["parameters"]);
    EXPECT_GT(parameters, 12'800'000'000);
  }
}

TEST_P(WholeModels, TheMapNamesThemBackOneForOne) {
  const auto [model, names] = GetParam();
  const Shapes published = all_shapes()[model][names], ours = all_shapes()[model]["ours"];
  const bool vae = std::string(model) == "vae";
  const detail::KeyMap map =
      vae ? detail::vae_keys(detail::VaeNames::ldm, 4, 2)
          : detail::transformer_keys(
                std::string(names) == "comfy" ? detail::TransformerNames::comfy : detail::TransformerNames::tencent,
                {20, 40, 2});
  std::map<std::string, std::string> back;  // our name -> the published one
  for (const auto& [theirs, rule] : map) {
    for (const std::string& name : rule.ours) EXPECT_TRUE(back.emplace(name, theirs).second) << name;
    EXPECT_TRUE(rule.optional || published.contains(theirs)) << theirs;
  }
  std::set<std::string> reached;
  for (const auto& [name, shape] : ours) {
    ASSERT_TRUE(back.contains(name)) << name;
    reached.insert(back[name]);
  }
  std::set<std::string> all;
  for (const auto& [name, shape] : published) all.insert(name);
  EXPECT_EQ(reached, all);
}

INSTANTIATE_TEST_SUITE_P(Forms, WholeModels,
                         ::testing::Values(Case{"t2v", "tencent"}, Case{"t2v", "comfy"},
                                           Case{"latent_concat", "tencent"}, Case{"latent_concat", "comfy"},
                                           Case{"token_replace", "tencent"}, Case{"token_replace", "comfy"},
                                           Case{"vae", "ldm"}),
                         [](const auto& of) { return std::string(of.param.model) + "_" + of.param.names; });

void expect_same(const TensorSource& found, const std::string& expected_file) {
  const auto expected = TensorSource::open(kFolder / (expected_file + ".expected.safetensors"));
  EXPECT_EQ(found.names(), expected->names());
  for (const std::string& name : expected->names()) {
    const TensorInfo &have = found.at(name), &want = expected->at(name);
    EXPECT_EQ(have.dtype, want.dtype) << name;
    EXPECT_EQ(have.shape, want.shape) << name;
    const TensorBytes have_bytes = read(have), want_bytes = read(want);
    ASSERT_TRUE(std::ranges::equal(have_bytes.bytes, want_bytes.bytes)) << name;
  }
}

TEST(PublishedForms, HaveTheValuesThatDiffusersMakesOfThem) {
  const std::pair<const char*, const char*> files[] = {{"tencent.pt", "bf16"},
                                                       {"kijai.safetensors", "bf16"},
                                                       {"comfy.safetensors", "bf16"},
                                                       {"tencent_fp8.pt", "scaled"},
                                                       {"comfy_scaled.safetensors", "scaled"},
                                                       {"kijai_fp8.safetensors", "unscaled"},
                                                       {"vae_ldm.safetensors", "vae"},
                                                       {"vae_tencent.pt", "vae"},
                                                       {"vae_bare.pt", "vae"},
                                                       {"bf16.expected.safetensors", "bf16"}};
  for (const auto& [file, expected] : files) {
    SCOPED_TRACE(file);
    expect_same(*TensorSource::open(kFolder / file), expected);
  }
}

TEST(PublishedForms, AreRecognisedByTheirNames) {
  const TemporaryFolder folder;
  const auto form = [&](const char* file) {
    // Under a name that says something else.
    const auto renamed = folder / "hunyuan_vae_flux_t5.ckpt";
    std::filesystem::copy_file(kFolder / file, renamed, std::filesystem::copy_options::overwrite_existing);
    return TensorSource::open(renamed)->form();
  };
  const WeightForm tencent = form("tencent.pt"), comfy = form("comfy.safetensors"), kijai = form("kijai.safetensors");
  EXPECT_EQ(tencent.part, Part::transformer);
  EXPECT_EQ(tencent.names, "Tencent");
  EXPECT_THAT(tencent.wrappers, ElementsAre("module."));
  EXPECT_EQ(comfy.names, "ComfyUI");
  EXPECT_THAT(comfy.wrappers, ElementsAre("model.diffusion_model."));
  EXPECT_EQ(kijai.names, "Tencent");
  EXPECT_THAT(kijai.wrappers, IsEmpty());
  EXPECT_FALSE(kijai.scaled);
  EXPECT_TRUE(form("comfy_scaled.safetensors").scaled);
  EXPECT_EQ(form("bf16.expected.safetensors").names, "diffusers");
  EXPECT_EQ(form("vae_ldm.safetensors").names, "latent diffusion");
  EXPECT_EQ(form("vae_tencent.pt").part, Part::vae);
  EXPECT_EQ(form("bf16.expected.safetensors").part, Part::transformer);
}

TEST(PublishedForms, AnOverlayIsTakenOnlyWhereItIsAskedFor) {
  for (const char* name : {"overlay.pth", "overlay_trainer.pth"}) {
    const auto overlay = TensorSource::open_overlay(kFolder / name);
    EXPECT_TRUE(overlay->form().overlay);
    expect_same(*overlay, "overlay");
    EXPECT_THAT(message_of<WeightError>([&] { TensorSource::open(kFolder / name); }),
                AllOf(HasSubstr(name), HasSubstr("Magic 1-For-1"), HasSubstr("missing: double_blocks.0."),
                      HasSubstr("--base BUNDLE")));
  }
  EXPECT_THAT(TensorSource::open_overlay(kFolder / "overlay_trainer.pth")->form().aside,
              ElementsAre("state_dict.vae.encoder.conv_in.conv.weight"));
}

TEST(PublishedForms, Fp8OfTencentWantsItsMap) {
  EXPECT_THAT(message_of<WeightError>([] { TensorSource::open(kFolder / "no_map.pt"); }),
              AllOf(HasSubstr("Tencent names"), HasSubstr("without scales"), HasSubstr("_map.pt")));
  const TemporaryFolder folder;
  std::filesystem::copy_file(kFolder / "tencent_fp8.pt", folder / "mp_rank_00_model_states_fp8.pt");
  std::filesystem::copy_file(kFolder / "tencent_fp8_map.pt", folder / "mp_rank_00_model_states_fp8_map.pt");
  expect_same(*TensorSource::open(folder.path()), "scaled");
  std::filesystem::copy_file(kFolder / "tencent.pt", folder / "mp_rank_00_model_states_fp8_map.pt",
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_THAT(message_of<WeightError>([&] { TensorSource::open(folder / "mp_rank_00_model_states_fp8.pt"); }),
              HasSubstr("expected the fp8 scales"));
}

TEST(PublishedNames, UnknownMissingAndDoubledOnesAreListedWithTheForm) {
  const Shapes whole = all_shapes()["t2v"]["tencent"];
  Shapes unknown = whole, missing, doubled = whole;
  for (int i = 0; i < 12; ++i) unknown["extra." + std::to_string(i)] = {1};
  EXPECT_THAT(refusal(unknown), AllOf(HasSubstr("taken for a transformer with Tencent names"),
                                      HasSubstr("12 unknown: extra.0, extra.1, extra.10, "), HasSubstr(" and 2 more")));
  for (const auto& [name, shape] : whole)
    if (!name.starts_with("double_blocks.7.")) missing[name] = shape;
  EXPECT_THAT(refusal(missing),
              AllOf(HasSubstr("24 missing: double_blocks.7.img_attn_k_norm.weight, "), HasSubstr(" and 14 more")));
  doubled["module.single_blocks.3.linear1.bias"] = {21504};
  EXPECT_THAT(refusal(doubled), HasSubstr("1 doubled: single_blocks.3.linear1.bias"));
  Shapes wrong = whole;
  wrong["double_blocks.0.img_attn_qkv.weight"] = {9217, 3072};
  EXPECT_THAT(refusal(wrong), AllOf(HasSubstr("img_attn_qkv"), HasSubstr("query, key and value"), HasSubstr("[9217,")));
  wrong["double_blocks.0.img_attn_qkv.weight"] = {9216, 3072};
  wrong["single_blocks.0.linear1.weight"] = {9216, 3072};
  EXPECT_THAT(refusal(wrong), AllOf(HasSubstr("linear1"), HasSubstr("3 x 3072 rows")));
}

TEST(PublishedNames, OtherModelsOfDiffusersAreNamed) {
  for (const auto& item : all_shapes()["others"].items())
    EXPECT_EQ(detail::looks_like(item.value().get<std::vector<std::string>>()), item.key() + " (diffusers)");
  std::vector<std::string> own;
  for (const auto& item : all_shapes()["t2v"]["ours"].items()) own.push_back(item.key());
  EXPECT_EQ(detail::looks_like(own), "");
}

TEST(PublishedNames, GuidanceIsWhatAModelMayLack) {
  Shapes guided = all_shapes()["t2v"]["tencent"], plain;
  for (const auto& [name, shape] : guided)
    if (!name.starts_with("guidance_in.")) plain[name] = shape;
  EXPECT_EQ(translated(without_data(plain)).tensors.size() + 4, translated(without_data(guided)).tensors.size());
}

TEST(PublishedNames, PatchesThatLostTheirShapeGetItBack) {
  Shapes flat = all_shapes()["latent_concat"]["tencent"];
  flat["img_in.proj.weight"] = {3072, 33, 2, 2};
  EXPECT_EQ(shapes_of(translated(without_data(flat)).tensors), all_shapes()["latent_concat"]["ours"].get<Shapes>());
  flat["img_in.proj.weight"] = {3072, 33, 2};
  EXPECT_THAT(refusal(flat), HasSubstr("channels x 1 x 2 x 2"));
}

TEST(PublishedNames, OldAttentionOfAVaeIsRenamed) {
  const Shapes ours = all_shapes()["vae"]["ours"];
  Shapes old;
  for (const auto& [name, shape] : ours) {
    std::string renamed = name;
    for (const auto& [from, to] :
         {std::pair{".to_q.", ".query."}, {".to_k.", ".key."}, {".to_v.", ".value."}, {".to_out.0.", ".proj_attn."}})
      if (const auto at = renamed.find(from); at != std::string::npos)
        renamed.replace(at, std::string(from).size(), to);
    old[renamed] = shape;
  }
  const detail::Published made = translated(without_data(old));
  EXPECT_EQ(made.form.names, "old diffusers");
  EXPECT_EQ(shapes_of(made.tensors), ours);
}

}  // namespace
}  // namespace reelfarm::weights

#include "pipeline/weights/bundle.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/weights/bundle_folder.hpp"

namespace reelfarm::weights {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using testing::BundleFolder;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::message_of;

std::string refusal(const std::filesystem::path& folder) {
  return message_of<WeightError>([&] { Bundle::open(folder); });
}

BundleManifest manifest_with(const BundleFolder& folder, const json& own) {
  folder.write_json("reelfarm.json", own);
  return Bundle::open(folder.path()).manifest();
}

std::string refusal_of(const BundleFolder& folder, const json& own) {
  folder.write_json("reelfarm.json", own);
  return refusal(folder.path());
}

TEST(Bundle, LatentConcatHasTheDefaultsOfItsPublishedWeights) {
  const BundleFolder folder;
  const Bundle bundle = Bundle::open(folder.path());
  const BundleManifest& manifest = bundle.manifest();
  EXPECT_EQ(manifest.family, Family::i2v_latent_concat);
  EXPECT_EQ(manifest.name, folder.path().filename().string());
  EXPECT_THAT(manifest.conditions, ElementsAre("first"));
  EXPECT_EQ(manifest.window_frames, 121);
  EXPECT_THAT(manifest.overlap_frames, ElementsAre(1));
  EXPECT_FALSE(manifest.uses_guidance);
  EXPECT_TRUE(manifest.needs_image());
  EXPECT_FALSE(manifest.prompt.has_value());
  ASSERT_TRUE(manifest.image_prompt.has_value());
  EXPECT_EQ(manifest.image_prompt->image_interleave, 2);
  EXPECT_EQ(manifest.image_prompt->crop_start, 103);
  EXPECT_EQ(manifest.image_prompt->image_embed_end, 581);
  EXPECT_THAT(bundle.missing_parts(), IsEmpty());
  EXPECT_NO_THROW(bundle.require_complete());
  EXPECT_EQ(bundle.tensors("vae")->at("w").shape, (std::vector<std::int64_t>{3}));
}

TEST(Bundle, TextToVideoKnowsNoImageAndNoSecondWindow) {
  const BundleFolder folder(nullptr, false);
  const BundleManifest manifest = Bundle::open(folder.path()).manifest();
  EXPECT_EQ(manifest.family, Family::t2v);
  EXPECT_TRUE(manifest.uses_guidance);
  EXPECT_FALSE(manifest.needs_image());
  EXPECT_TRUE(manifest.single_window_only());
  ASSERT_TRUE(manifest.prompt.has_value());
  EXPECT_EQ(manifest.prompt->crop_start, 95);
  EXPECT_FALSE(manifest.image_prompt.has_value());
}

TEST(Bundle, TokenReplaceKeepsEveryFourthImageToken) {
  const BundleFolder folder("token_replace");
  const BundleManifest manifest = Bundle::open(folder.path()).manifest();
  EXPECT_EQ(manifest.family, Family::i2v_token_replace);
  EXPECT_EQ(manifest.image_prompt->image_interleave, 4);
  EXPECT_TRUE(manifest.uses_guidance);
}

TEST(Bundle, LatentConcatWithALlamaReadsThePromptAlone) {
  const BundleFolder folder("latent_concat", false);
  const BundleManifest manifest = Bundle::open(folder.path()).manifest();
  EXPECT_EQ(manifest.family, Family::i2v_latent_concat);
  EXPECT_TRUE(manifest.prompt.has_value());
  EXPECT_FALSE(manifest.image_prompt.has_value());
}

TEST(Bundle, MagicIsLatentConcatWithALlavaOfItsOwn) {
  BundleFolder folder("latent_concat", false);
  folder.index["image_encoder"] = {"transformers", "LlavaForConditionalGeneration"};
  folder.scheduler["shift"] = 5.0;
  folder.write();
  folder.write_json("image_encoder/config.json", {{"vision_config", {{"image_size", 336}, {"patch_size", 14}}}});
  folder.write_weights("image_encoder", {1});
  folder.write_json("transformer_t2i/config.json", {{"in_channels", 16}, {"guidance_embeds", true}});
  const Bundle bundle = Bundle::open(folder.path());
  const BundleManifest& manifest = bundle.manifest();
  EXPECT_EQ(manifest.family, Family::magic_141);
  EXPECT_TRUE(manifest.distilled);
  EXPECT_EQ(manifest.sampling.steps, 4);
  EXPECT_EQ(manifest.sampling.shift, 5.0);
  EXPECT_EQ(manifest.prompt->encoder, "text_encoder");
  EXPECT_EQ(manifest.image_prompt->encoder, "image_encoder");
  EXPECT_TRUE(manifest.image_prompt->image_in_place);
  EXPECT_EQ(manifest.image_prompt->hidden_state_skip, 0);
  ASSERT_TRUE(manifest.t2i.has_value());
  EXPECT_EQ(manifest.t2i->prompt.crop_start, 36);
  EXPECT_EQ(manifest.t2i->sampling.steps, 4);
  EXPECT_THAT(bundle.missing_parts(),
              ElementsAre("image_processor: the folder is missing", "transformer_t2i: no *.safetensors"));
}

TEST(Bundle, NamesEveryMissingPart) {
  const BundleFolder folder;
  std::filesystem::remove_all(folder.path() / "tokenizer_2");
  std::filesystem::remove(folder.path() / "tokenizer/tokenizer.json");
  std::filesystem::remove(folder.path() / "vae/model.safetensors");
  const Bundle bundle = Bundle::open(folder.path());
  EXPECT_THAT(message_of<WeightError>([&] { bundle.require_complete(); }),
              AllOf(HasSubstr("tokenizer_2: the folder is missing"), HasSubstr("tokenizer: tokenizer.json is missing"),
                    HasSubstr("vae: no *.safetensors")));
}

TEST(Bundle, RefusesUnknownArchitecturesAndListsTheKnownOnes) {
  BundleFolder folder;
  const auto refuse = [&](const char* component, const json& value) {
    BundleFolder changed;
    changed.index[component] = value;
    changed.write();
    return refusal(changed.path());
  };
  EXPECT_THAT(refuse("_class_name", "WanPipeline"), AllOf(HasSubstr("\"WanPipeline\""), HasSubstr("magic-1-for-1")));
  EXPECT_THAT(refuse("transformer", {"diffusers", "WanTransformer3DModel"}),
              AllOf(HasSubstr("transformer: unknown class \"WanTransformer3DModel\""), HasSubstr("hunyuan-t2v")));
  EXPECT_THAT(refuse("text_encoder", {"transformers", "T5EncoderModel"}), HasSubstr("T5EncoderModel"));
  folder.transformer["in_channels"] = 32;
  folder.write();
  EXPECT_THAT(refusal(folder.path()), AllOf(HasSubstr("in_channels 32"), HasSubstr("known architectures")));
}

TEST(Bundle, RefusesAPartOfAnotherArchitecture) {
  BundleFolder transformer;
  transformer.transformer["_class_name"] = "WanTransformer3DModel";
  transformer.write();
  EXPECT_THAT(refusal(transformer.path()),
              AllOf(HasSubstr("transformer/config.json"), HasSubstr("HunyuanVideoTransformer3DModel"),
                    HasSubstr("found \"WanTransformer3DModel\"")));
  BundleFolder vae;
  vae.vae["_class_name"] = "AutoencoderKLWan";
  vae.write();
  EXPECT_THAT(refusal(vae.path()), AllOf(HasSubstr("vae/config.json"), HasSubstr("found \"AutoencoderKLWan\"")));
}

TEST(Bundle, RefusesFoldersThatAreNone) {
  const testing::TemporaryFolder empty;
  EXPECT_THAT(refusal(empty.path()), HasSubstr("model_index.json is missing"));
  EXPECT_THAT(refusal(empty / "none"), HasSubstr("no such folder"));
  BundleFolder folder;
  folder.vae["temporal_compression_ratio"] = 8;
  folder.write();
  EXPECT_THAT(refusal(folder.path()), AllOf(HasSubstr("temporal_compression_ratio"), HasSubstr("found 8")));
  folder.vae["temporal_compression_ratio"] = 4;
  folder.transformer.erase("in_channels");
  folder.write();
  EXPECT_THAT(refusal(folder.path()), AllOf(HasSubstr("transformer/config.json"), HasSubstr("\"in_channels\"")));
}

TEST(Bundle, ReelfarmJsonOverridesTheDefaults) {
  const BundleFolder folder("latent_concat", false);
  const BundleManifest manifest = manifest_with(
      folder, {{"schema", 1},
               {"name", "demo"},
               {"family", "hunyuan-i2v-latent-concat"},
               {"distilled", true},
               {"defaults",
                {{"steps", 4},
                 {"shift", 5},
                 {"guidance", 1.5},
                 {"width", 160},
                 {"height", 96},
                 {"frames", 241},
                 {"window_frames", 61},
                 {"frame_rate", "24000/1001"}}},
               {"overlap_frames", {5, 1}},
               {"conditions", {"first", "prefix", "last"}},
               {"prompt", {{"template", "{}"}, {"crop_start", 1}, {"max_length", 64}, {"hidden_state_skip", 0}}},
               {"clip_max_length", 32},
               {"bounds", {{"max_width", 320}, {"max_height", 320}, {"max_frames", 1441}, {"max_steps", 8}}}});
  EXPECT_EQ(manifest.name, "demo");
  EXPECT_TRUE(manifest.distilled);
  EXPECT_EQ(manifest.sampling.steps, 4);
  EXPECT_EQ(manifest.sampling.shift, 5.0);
  EXPECT_EQ(manifest.sampling.guidance, 1.5);
  EXPECT_EQ(manifest.width, 160);
  EXPECT_EQ(manifest.default_frames, 241);
  EXPECT_EQ(manifest.window_frames, 61);
  EXPECT_EQ(manifest.frame_rate, (windows::FrameRate{24000, 1001}));
  EXPECT_THAT(manifest.overlap_frames, ElementsAre(5, 1));
  EXPECT_THAT(manifest.conditions, ElementsAre("first", "prefix", "last"));
  EXPECT_EQ(manifest.prompt->template_text, "{}");
  EXPECT_EQ(manifest.prompt->max_length, 64);
  EXPECT_EQ(manifest.clip_max_length, 32);
  EXPECT_EQ(manifest.bounds.max_frames, 1441);
}

TEST(Bundle, TheSchedulersShiftIsTheDefaultUnlessReelfarmJsonSaysOtherwise) {
  BundleFolder folder;
  folder.scheduler["shift"] = 17.0;
  folder.write();
  EXPECT_EQ(Bundle::open(folder.path()).manifest().sampling.shift, 17.0);
  EXPECT_EQ(manifest_with(folder, {{"schema", 1}, {"defaults", {{"shift", 3.5}}}}).sampling.shift, 3.5);
}

TEST(Bundle, RefusesWrongValuesInReelfarmJson) {
  const BundleFolder folder;
  const auto refuse = [&](json own) {
    own["schema"] = 1;
    return refusal_of(folder, own);
  };
  EXPECT_THAT(refusal_of(folder, {{"schema", 2}}), HasSubstr("schema 1 only"));
  EXPECT_THAT(refusal_of(folder, json::object()), AllOf(HasSubstr("\"schema\""), HasSubstr("missing")));
  EXPECT_THAT(refuse({{"nmae", "x"}}), AllOf(HasSubstr("\"nmae\""), HasSubstr("did you mean name")));
  EXPECT_THAT(refuse({{"defaults", {{"window", 61}}}}),
              AllOf(HasSubstr("\"defaults.window\""), HasSubstr("window_frames")));
  EXPECT_THAT(refuse({{"defaults", {{"steps", 0}}}}), AllOf(HasSubstr("\"defaults.steps\""), HasSubstr("found 0")));
  EXPECT_THAT(refuse({{"defaults", {{"shift", 0}}}}), HasSubstr("\"defaults.shift\""));
  EXPECT_THAT(refuse({{"defaults", {{"width", "960"}}}}), AllOf(HasSubstr("integer"), HasSubstr("\"960\"")));
  EXPECT_THAT(refuse({{"defaults", {{"window_frames", 60}}}}), HasSubstr("4k + 1"));
  EXPECT_THAT(refuse({{"defaults", {{"frame_rate", "fast"}}}}), HasSubstr("frame_rate"));
  EXPECT_THAT(refuse({{"overlap_frames", {1, 4}}}), HasSubstr("4k + 1"));
  EXPECT_THAT(refuse({{"overlap_frames", {65}}}), HasSubstr("more than half"));
  EXPECT_THAT(refuse({{"conditions", {"frist"}}}), HasSubstr("did you mean first"));
  EXPECT_THAT(refuse({{"family", "hunyuan-t2v"}}), HasSubstr("hunyuan-i2v-latent-concat"));
  EXPECT_THAT(refuse({{"t2i", {{"steps", 4}}}}), HasSubstr("transformer_t2i"));
  EXPECT_THAT(refuse({{"image_prompt", nullptr}}), HasSubstr("nothing reads the prompt"));
  EXPECT_THAT(refuse({{"image_prompt", {{"template", "<image> describe"}}}}), HasSubstr("{} exactly once"));
  EXPECT_THAT(refuse({{"image_prompt", {{"template", "{}"}}}}), HasSubstr("\"<image>\" exactly once"));
  EXPECT_THAT(refuse({{"image_prompt", {{"image_embed_end", 7}}}}), HasSubstr("image_embed_length"));
  EXPECT_THAT(refuse({{"name", "a/b"}}), HasSubstr("without slashes"));
}

TEST(Config, GettersNameFileKeyExpectedTypeAndValue) {
  const testing::TemporaryFolder folder;
  testing::write_text(folder / "config.json", R"({"layers": "two", "big": 18446744073709551615, "none": null,
                                                  "inner": {"list": [1, "x"]}})");
  const Config config = Config::read(folder / "config.json");
  EXPECT_THAT(message_of<WeightError>([&] { config.integer("layers"); }),
              AllOf(HasSubstr((folder / "config.json").string()), HasSubstr("\"layers\": expected an integer"),
                    HasSubstr("found \"two\"")));
  EXPECT_THROW(config.integer("big"), WeightError);
  EXPECT_EQ(config.integer("none", 3), 3);
  EXPECT_THAT(message_of<WeightError>([&] { config.object("inner").integers("list"); }), HasSubstr("\"inner.list\""));
  EXPECT_THAT(message_of<WeightError>([&] { config.flag("absent"); }), HasSubstr("is missing, expected true or false"));
}

class SavedByDiffusers : public ::testing::TestWithParam<std::pair<const char*, Family>> {
 protected:
  std::filesystem::path folder() const {
    return std::filesystem::path(REELFARM_REFERENCE_DIR) / "bundles" / GetParam().first;
  }
};

TEST_P(SavedByDiffusers, IsRecognisedAndEveryParameterIsFound) {
  const Bundle bundle = Bundle::open(folder());
  EXPECT_EQ(bundle.manifest().family, GetParam().second);
  EXPECT_EQ(bundle.manifest().latent_channels, 4);
  if (bundle.manifest().image_prompt) {
    EXPECT_EQ(bundle.manifest().image_prompt->image_embed_length, 4);
  }
  EXPECT_THAT(bundle.missing_parts(),
              ElementsAre("tokenizer: the folder is missing", "tokenizer_2: the folder is missing"));
  const Config expected = Config::read(folder() / "expected.json").object("parameters");
  for (const auto& item : expected.json().items()) {
    const auto source = bundle.tensors(item.key());
    if (item.key() == "transformer") {
      EXPECT_GT(source->files().size(), 1u) << "meant to be sharded";
    }
    std::int64_t parameters = 0;
    for (const std::string& name : source->names()) {
      const TensorInfo& tensor = source->at(name);
      parameters += static_cast<std::int64_t>(tensor.bytes.size() / size_of(tensor.dtype));
    }
    EXPECT_EQ(parameters, item.value().get<std::int64_t>()) << item.key();
  }
}

std::string saved_name(const ::testing::TestParamInfo<std::pair<const char*, Family>>& saved) {
  return saved.param.first;
}

INSTANTIATE_TEST_SUITE_P(Variants, SavedByDiffusers,
                         ::testing::Values(std::pair{"t2v", Family::t2v},
                                           std::pair{"latent_concat", Family::i2v_latent_concat},
                                           std::pair{"token_replace", Family::i2v_token_replace}),
                         saved_name);

TEST(FewSteps, AreWarnedOfWhereABundleWasNotMadeForThem) {
  BundleManifest manifest;
  manifest.name = "slow";
  EXPECT_THAT(few_steps_warning(manifest, 4), AllOf(HasSubstr("steps is 4"), HasSubstr("slow"), HasSubstr("wants 50")));
  EXPECT_EQ(few_steps_warning(manifest, 25), "");
  manifest.distilled = true;
  EXPECT_EQ(few_steps_warning(manifest, 4), "");
}

}  // namespace
}  // namespace reelfarm::weights

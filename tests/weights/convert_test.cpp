#include "pipeline/weights/convert.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/weights/bundle.hpp"
#include "pipeline/weights/detail/inferred_config.hpp"
#include "pipeline/weights/detail/strict_json.hpp"
#include "pipeline/weights/published_report.hpp"
#include "pipeline/weights/verify.hpp"
#include "tests/weights/saved_bundle.hpp"

namespace reelfarm::weights {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;
using testing::SavedBundle;
using testing::TemporaryFolder;
using testing::write_text;

const fs::path kFolder = fs::path(REELFARM_REFERENCE_DIR) / "published";

void expect_same(const TensorSource& found, const TensorSource& expected) {
  EXPECT_EQ(found.names(), expected.names());
  for (const std::string& name : expected.names()) {
    ASSERT_EQ(found.at(name).dtype, expected.at(name).dtype) << name;
    const TensorBytes have = read(found.at(name)), want = read(expected.at(name));
    ASSERT_TRUE(std::ranges::equal(have.bytes, want.bytes)) << name;
  }
}

class Convert : public ::testing::Test {
 protected:
  ConvertRequest request(const fs::path& source) const {
    ConvertRequest made;
    made.source = source;
    made.target = folder_ / "new";
    made.base = base_.path();
    return made;
  }
  Bundle converted(const ConvertRequest& request) const {
    convert(request);
    EXPECT_THAT(left_over(), ElementsAre("new"));
    Bundle bundle = Bundle::open(request.target);
    EXPECT_THAT(verify(bundle).problems, ElementsAre());
    return bundle;
  }
  std::string refusal(const ConvertRequest& request) const {
    const std::string message = message_of<WeightError>([&] { convert(request); });
    EXPECT_THAT(left_over(), ElementsAre()) << "a failure leaves nothing";
    return message;
  }
  /// What is in the folder that the bundle is made in.
  std::vector<std::string> left_over() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path())) names.push_back(entry.path().filename());
    return names;
  }
  static std::shared_ptr<const TensorSource> expected(const std::string& name) {
    return TensorSource::open(kFolder / (name + ".expected.safetensors"));
  }

  TemporaryFolder folder_;
  SavedBundle base_{"t2v"};
};

TEST_F(Convert, ATransformerOfEveryFormTakesTheRestFromTheBase) {
  const std::pair<const char*, const char*> files[] = {{"tencent.pt", "bf16"},
                                                       {"comfy.safetensors", "bf16"},
                                                       {"tencent_fp8.pt", "scaled"},
                                                       {"comfy_scaled.safetensors", "scaled"},
                                                       {"kijai_fp8.safetensors", "unscaled"},
                                                       {"bf16.expected.safetensors", "bf16"}};
  for (const auto& [file, values] : files) {
    SCOPED_TRACE(file);
    const Bundle bundle = converted(request(kFolder / file));
    expect_same(*bundle.tensors("transformer"), *expected(values));
    const Bundle base = Bundle::open(base_.path());
    for (const char* part : {"vae", "text_encoder", "text_encoder_2"})
      expect_same(*bundle.tensors(part), *base.tensors(part));
    EXPECT_EQ(bundle.manifest().family, Family::t2v);
    EXPECT_EQ(bundle.config("transformer").json(), base.config("transformer").json());
    fs::remove_all(folder_ / "new");
  }
}

TEST_F(Convert, AnOverlayReplacesWhatItHas) {
  ConvertRequest over = request(kFolder / "overlay_trainer.pth");
  over.distilled = true;
  over.steps = 4;
  over.shift = 5.0;
  over.name = "magic";
  const Bundle bundle = converted(over);
  const auto made = bundle.tensors("transformer"), above = expected("overlay");
  const auto under = TensorSource::open(base_.path() / "transformer");
  EXPECT_EQ(made->names(), under->names());
  std::size_t replaced = 0;
  for (const std::string& name : made->names()) {
    const TensorInfo* from = above->find(name);
    replaced += from != nullptr ? 1 : 0;
    const TensorBytes have = read(made->at(name)), want = read(from != nullptr ? *from : under->at(name));
    EXPECT_TRUE(std::ranges::equal(have.bytes, want.bytes)) << name;
  }
  EXPECT_EQ(replaced, above->names().size());
  EXPECT_TRUE(bundle.manifest().distilled);
  EXPECT_EQ(bundle.manifest().sampling.steps, 4);
  EXPECT_EQ(bundle.manifest().sampling.shift, 5.0);
  EXPECT_EQ(bundle.manifest().name, "magic");
}

TEST_F(Convert, AVaeAndAVariantTakeTheRestFromTheBase) {
  expect_same(*converted(request(kFolder / "vae_ldm.safetensors")).tensors("vae"), *expected("vae"));
  fs::remove_all(folder_ / "new");
  ConvertRequest replaced = request(kFolder / "tencent.pt");
  replaced.variant = "token-replace";
  replaced.vae = kFolder / "vae_tencent.pt";
  const Bundle bundle = converted(replaced);
  EXPECT_EQ(bundle.manifest().family, Family::i2v_token_replace);
  expect_same(*bundle.tensors("vae"), *expected("vae"));
}

TEST_F(Convert, ABundleWithPublishedFilesWorksAndBecomesPlain) {
  for (const auto& entry : fs::directory_iterator(base_.path() / "transformer"))
    if (entry.path().filename() != "config.json") fs::remove(entry.path());
  fs::copy_file(kFolder / "tencent.pt", base_.path() / "transformer/mp_rank_00_model_states.pt");
  const Bundle before = Bundle::open(base_.path());
  EXPECT_THAT(verify(before).problems, ElementsAre());
  expect_same(*before.tensors("transformer"), *expected("bf16"));
  ConvertRequest plain;
  plain.source = base_.path();
  plain.target = folder_ / "new";
  plain.shard_bytes = 100'000;
  const Bundle bundle = converted(plain);
  expect_same(*bundle.tensors("transformer"), *expected("bf16"));
  EXPECT_GT(bundle.tensors("transformer")->files().size(), 2U);
  EXPECT_TRUE(fs::exists(folder_ / "new/transformer/diffusion_pytorch_model.safetensors.index.json"));
}

TEST_F(Convert, TencentsFolderBringsItsEncoders) {
  const TemporaryFolder published;
  const fs::path model = published / "hunyuan-video-t2v-720p";
  fs::create_directories(model / "transformers");
  fs::create_directories(model / "vae");
  fs::copy_file(kFolder / "tencent.pt", model / "transformers/mp_rank_00_model_states.pt");
  fs::copy_file(kFolder / "vae_tencent.pt", model / "vae/pytorch_model.pt");
  fs::copy(base_.path() / "text_encoder", published / "text_encoder");
  fs::copy(base_.path() / "text_encoder_2", published / "text_encoder_2");
  for (const char* name : {"text_encoder", "text_encoder_2"}) write_text(published / name / "tokenizer.json", "{}");
  // A whole CLIP, with its text half's configuration inside.
  const json text = Config::read(published / "text_encoder_2/config.json").json();
  write_text(published / "text_encoder_2/config.json", json{{"model_type", "clip"}, {"text_config", text}}.dump());
  for (const fs::path& source : {published.path(), model}) {
    const Bundle bundle = converted(request(source));
    expect_same(*bundle.tensors("transformer"), *expected("bf16"));
    expect_same(*bundle.tensors("vae"), *expected("vae"));
    EXPECT_EQ(bundle.classes().at("text_encoder_2"), "CLIPTextModel");
    EXPECT_TRUE(fs::exists(bundle.path() / "tokenizer_2/tokenizer.json"));
    fs::remove_all(folder_ / "new");
  }
}

TEST_F(Convert, SaysWhatIsMissingBeforeItWritesAnything) {
  ConvertRequest alone = request(base_.path() / "transformer");
  alone.base.clear();
  alone.variant = "t2v";
  EXPECT_THAT(refusal(alone), AllOf(HasSubstr("heads of 16"), HasSubstr("--base")));
  ConvertRequest vae = request(kFolder / "vae_bare.pt");
  vae.base.clear();
  EXPECT_THAT(refusal(vae), AllOf(HasSubstr("transformer: the source, or --base"), HasSubstr("text_encoder: --text-")));
  ConvertRequest overlay = request(kFolder / "overlay.pth");
  overlay.base.clear();
  EXPECT_THAT(refusal(overlay), AllOf(HasSubstr("Magic 1-For-1"), HasSubstr("--base")));
  const SavedBundle other("latent_concat");
  ConvertRequest choice = request(kFolder / "tencent.pt");
  choice.base = other.path();
  EXPECT_THAT(refusal(choice), HasSubstr("--variant t2v or --variant token-replace"));
  overlay.base = other.path();
  EXPECT_THAT(message_of<WeightError>([&] { convert(overlay); }), HasSubstr("")) << "the same layers fit any base";
}

TEST_F(Convert, RefusesOtherModelsAndATargetThatIsThere) {
  const json shapes = detail::read_strict_json(kFolder / "shapes.json");
  for (const auto& item : shapes["others"].items()) {
    const TemporaryFolder other;
    std::vector<SafetensorsWriter::Declaration> declarations;
    for (const auto& name : item.value()) declarations.push_back({name, DType::f32, {0}});
    SafetensorsWriter(other / "model.safetensors", declarations).finish();
    EXPECT_THAT(refusal(request(other / "model.safetensors")), HasSubstr("looks like " + item.key()));
    EXPECT_THAT(message_of<WeightError>([&] { inspect_published(other.path()); }),
                HasSubstr("looks like " + item.key()));
  }
  ConvertRequest there = request(kFolder / "tencent.pt");
  write_text(folder_ / "new/kept", "x");
  EXPECT_THAT(message_of<WeightError>([&] { convert(there); }), HasSubstr("is there already"));
  EXPECT_TRUE(fs::exists(folder_ / "new/kept"));
}

/// A file with these tensors, whose data is a hole: 25 GB that take no place.
void write_hollow(const fs::path& file, const json& shapes) {
  json header = json::object();
  std::uint64_t offset = 0;
  for (const auto& item : shapes.items()) {
    std::uint64_t bytes = 2;
    for (const std::uint64_t extent : item.value()) bytes *= extent;
    header[item.key()] = {{"dtype", "BF16"}, {"shape", item.value()}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  const std::string text = header.dump();
  testing::write_raw(file, text, "");
  fs::resize_file(file, 8 + text.size() + offset);
}

TEST(WholeFiles, AreDescribedAndHaveTheConfigurationOfDiffusers) {
  const TemporaryFolder folder;
  const json shapes = detail::read_strict_json(kFolder / "shapes.json");
  for (const char* model : {"t2v", "latent_concat"}) {
    const fs::path file = folder / (std::string(model) + ".safetensors");
    write_hollow(file, shapes[model]["tencent"]);
    const PublishedReport report = inspect_published(file);
    const bool concat = std::string(model) == "latent_concat";
    EXPECT_EQ(report.form.names, "Tencent");
    EXPECT_EQ(report.parameters, shapes[model]["parameters"].get<std::uint64_t>());
    EXPECT_THAT(report.variant, HasSubstr(concat ? "latent concat" : "token replace"));
    EXPECT_THAT(report.layers, HasSubstr("20 double, 40 single, 2 refiner"));
    EXPECT_THAT(report.dtypes, ElementsAre("BF16"));
    EXPECT_THAT(report.needs, AllOf(HasSubstr("text_encoder"), HasSubstr("bundle convert")));
    const auto source = TensorSource::open(file);
    const json config = detail::inferred_transformer(*source, concat ? "latent_concat" : "none");
    EXPECT_NO_THROW(detail::require_fit(*source, "transformer", Config("config.json", config)));
    EXPECT_EQ(config["num_attention_heads"], 24);
    EXPECT_EQ(config["in_channels"], concat ? 33 : 16);
    EXPECT_EQ(config["mlp_ratio"], 4.0);
    EXPECT_EQ(config["guidance_embeds"], !concat);
    EXPECT_EQ(config["image_condition_type"], concat ? json("latent_concat") : json(nullptr));
  }
  write_hollow(folder / "vae.safetensors", shapes["vae"]["ldm"]);
  const auto vae = TensorSource::open(folder / "vae.safetensors");
  const json config = detail::inferred_vae(*vae);
  EXPECT_NO_THROW(detail::require_fit(*vae, "vae", Config("config.json", config)));
  EXPECT_EQ(config["block_out_channels"], json({128, 256, 512, 512}));
  EXPECT_EQ(config["latent_channels"], 16);
}

}  // namespace
}  // namespace reelfarm::weights

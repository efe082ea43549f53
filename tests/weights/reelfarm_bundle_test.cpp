// The program as the farm and people call it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "queue/codec.hpp"
#include "tests/weights/saved_bundle.hpp"

namespace reelfarm::weights {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::SavedBundle;
using testing::TemporaryFolder;
using Tensors = SavedBundle::Tensors;

struct Ran {
  int code;
  std::string output;
  std::string errors;
};

class ReelfarmBundle : public ::testing::Test {
 protected:
  Ran run(const std::string& words, const std::string& before = "") const {
    const auto errors = folder_ / "stderr";
    const std::string command = before + "XDG_CACHE_HOME='" + (folder_ / "cache").string() + "' timeout 60 '" +
                                REELFARM_BIN_DIR + "/reelfarm-bundle' " + words + " 2>'" + errors.string() + "'";
    FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) throw std::runtime_error("popen");
    Ran ran;
    std::array<char, 4096> piece{};
    for (std::size_t count = 0; (count = std::fread(piece.data(), 1, piece.size(), pipe)) > 0;)
      ran.output.append(piece.data(), count);
    const int status = ::pclose(pipe);
    ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    std::ostringstream text;
    text << std::ifstream(errors).rdbuf();
    ran.errors = text.str();
    return ran;
  }

  TemporaryFolder folder_;
};

TEST_F(ReelfarmBundle, InspectJsonIsWhatTheQueueReads) {
  const SavedBundle saved("token_replace");
  testing::write_text(saved.path() / "reelfarm.json",
                      R"({"schema": 1, "name": "tiny", "distilled": true, "overlap_frames": [5, 1],
                          "defaults": {"steps": 4, "width": 160, "height": 96, "window_frames": 61, "frame_rate": 12.5},
                          "bounds": {"max_frames": 999, "max_prompt_characters": 500}})");
  const Ran ran = run("inspect --json '" + saved.path().string() + "'");
  ASSERT_EQ(ran.code, 0) << ran.errors;
  const queue::BundleLimits limits = queue::decode_bundle_limits(ran.output);
  EXPECT_EQ(limits.name, "tiny");
  EXPECT_EQ(limits.hash.size(), 64u);
  EXPECT_EQ(limits.family, "hunyuan-i2v-token-replace");
  EXPECT_EQ(limits.default_width, 160);
  EXPECT_EQ(limits.default_height, 96);
  EXPECT_EQ(limits.window_frames, 61);
  EXPECT_THAT(limits.overlap_frames, ElementsAre(5, 1));
  EXPECT_EQ(limits.frame_rate_numerator, 25);
  EXPECT_EQ(limits.frame_rate_denominator, 2);
  EXPECT_EQ(limits.default_steps, 4);
  EXPECT_EQ(limits.shift, 17.0);
  EXPECT_TRUE(limits.uses_guidance);
  EXPECT_TRUE(limits.distilled);
  EXPECT_TRUE(limits.needs_image);
  EXPECT_FALSE(limits.has_t2i);
  EXPECT_FALSE(limits.single_window_only);
  EXPECT_THAT(limits.conditions, ElementsAre("first"));
  EXPECT_EQ(limits.max_frames, 999);
  EXPECT_EQ(limits.max_prompt_characters, 500);
  ASSERT_FALSE(limits.prompt_limits.empty());
  EXPECT_EQ(limits.prompt_limits.back().max_tokens, 256);
  EXPECT_FALSE(limits.prompt_limits.back().first_frame);
  EXPECT_NE(limits.prompt_limits.back().tokenizer, "");
  // Every key that the queue writes is printed: none was left to its default.
  const json printed = json::parse(ran.output);
  const json written = queue::to_json(limits);
  for (const auto& item : written.items()) EXPECT_TRUE(printed.contains(item.key())) << item.key();
  EXPECT_EQ(run("inspect --json --no-cache '" + saved.path().string() + "'").output, ran.output);
}

TEST_F(ReelfarmBundle, InspectIsReadableAndNamesMissingParts) {
  const SavedBundle saved("t2v");
  const Ran whole = run("inspect '" + saved.path().string() + "'");
  EXPECT_EQ(whole.code, 0) << whole.errors;
  EXPECT_THAT(whole.output, AllOf(HasSubstr("hunyuan-t2v"), HasSubstr("HunyuanVideoTransformer3DModel"),
                                  HasSubstr("F32"), HasSubstr("guidance 6")));
  std::filesystem::remove_all(saved.path() / "tokenizer_2");
  const Ran missing = run("inspect '" + saved.path().string() + "'");
  EXPECT_EQ(missing.code, 2);
  EXPECT_THAT(missing.output, HasSubstr("missing     tokenizer_2"));
  const Ran refused = run("inspect --json '" + saved.path().string() + "'");
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.output, IsEmpty());
  EXPECT_THAT(refused.errors, HasSubstr("tokenizer_2"));
}

TEST_F(ReelfarmBundle, InspectRefusesMissingTensorsWrongShapesAndBrokenFiles) {
  const SavedBundle saved("latent_concat");
  const std::string words = "inspect --json '" + saved.path().string() + "'";
  saved.rewrite("vae", [](Tensors& tensors) { tensors.erase("decoder.conv_out.conv.bias"); });
  const Ran missing = run(words);
  EXPECT_EQ(missing.code, 2);
  EXPECT_THAT(missing.errors, AllOf(HasSubstr("vae: "), HasSubstr("\"decoder.conv_out.conv.bias\" is missing")));
  std::filesystem::resize_file(saved.path() / "vae/model.safetensors", 5000);
  const Ran cut = run(words);
  EXPECT_EQ(cut.code, 2);
  EXPECT_THAT(cut.errors, AllOf(HasSubstr("vae/model.safetensors"), HasSubstr("truncated")));
}

TEST_F(ReelfarmBundle, VerifyReadsEveryNumber) {
  const SavedBundle saved("latent_concat");
  const std::string words = "verify --json '" + saved.path().string() + "'";
  const Ran good = run(words);
  EXPECT_EQ(good.code, 0) << good.errors;
  EXPECT_TRUE(json::parse(good.output).at("ok").get<bool>());
  saved.rewrite("text_encoder_2", [](Tensors& tensors) {
    auto& bytes = tensors.begin()->second.bytes;
    std::fill(bytes.begin(), bytes.end(), std::byte{0xFF});
  });
  const Ran bad = run(words);
  EXPECT_EQ(bad.code, 2);
  const json printed = json::parse(bad.output);
  EXPECT_FALSE(printed.at("ok").get<bool>());
  EXPECT_THAT(printed.at("problems").at(0).get<std::string>(),
              AllOf(HasSubstr("text_encoder_2"), HasSubstr("not finite")));
  EXPECT_EQ(run("inspect --json '" + saved.path().string() + "'").code, 0) << "inspect reads no numbers";
}

TEST_F(ReelfarmBundle, PublishedFilesAreDescribedVerifiedAndConverted) {
  const SavedBundle base("t2v");
  const std::string file = std::string(REELFARM_REFERENCE_DIR) + "/published/tencent.pt";
  const Ran told = run("inspect '" + file + "'");
  EXPECT_EQ(told.code, 0) << told.errors;
  EXPECT_THAT(told.output, AllOf(HasSubstr("a transformer with Tencent names under module."), HasSubstr("2 double"),
                                 HasSubstr("BF16"), HasSubstr("needs       vae, text_encoder")));
  EXPECT_EQ(json::parse(run("inspect --json '" + file + "'").output).at("names"), "Tencent");
  EXPECT_EQ(run("verify '" + file + "'").code, 0);
  const std::string target = (folder_ / "made").string();
  const Ran made =
      run("convert '" + file + "' --base '" + base.path().string() + "' --to '" + target + "' --steps 6 --distilled");
  EXPECT_EQ(made.code, 0) << made.errors;
  EXPECT_EQ(made.output, target + "\n");
  const json limits = json::parse(run("inspect --json '" + target + "'").output);
  EXPECT_EQ(limits.at("default_steps"), 6);
  EXPECT_EQ(limits.at("name"), "made");
}

TEST_F(ReelfarmBundle, AFullDiskLeavesNothingUnderTheNewName) {
  const SavedBundle base("t2v");
  std::filesystem::create_directory(folder_ / "place");
  const std::string target = (folder_ / "place/made").string();
  const std::string words = "convert '" + std::string(REELFARM_REFERENCE_DIR) + "/published/tencent.pt' --base '" +
                            base.path().string() + "' --to '" + target + "'";
  // A limit on the size of a file stands for a disk that fills up in the middle of one.
  const Ran full = run(words, "trap '' XFSZ; ulimit -f 100; ");
  EXPECT_EQ(full.code, 2);
  EXPECT_THAT(full.errors, AllOf(HasSubstr("cannot write"), HasSubstr("File too large")));
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "place")) << "neither the bundle nor what it was built in";
  EXPECT_EQ(run(words).code, 0);
}

TEST_F(ReelfarmBundle, BadCommandLinesExitWith2) {
  const std::pair<const char*, const char*> lines[] = {
      {"", "expected inspect, verify, convert or quantize"},
      {"inspect", "expected one folder or file"},
      {"inspect a b", "expected one folder"},
      {"inpsect a", "unknown command \"inpsect\""},
      {"inspect --jsn a", "did you mean json"},
      {"convert a", "expected --to DIR"},
      {"convert /no/such/file --to b", "/no/such/file"},
      {"convert a --to b --variant i2v", "expected t2v or token-replace"},
      {"inspect a --to b", "--to is no option of inspect"},
      {"quantize a --to b --format int4", "--format int4: expected int8 or fp8"},
      {"quantize a --to b", "--format is missing"},
      {"quantize a --format int8", "expected --to DIR"},
      {"quantize /no/such/folder --to b --format int8", "no bundle at /no/such/folder"},
      {"convert a --to b --lora /no/such/file:0.5", "/no/such/file:0.5: no such file"},
      {"inspect /no/such/folder", "no such folder"},
      {"verify /etc", "no *.safetensors"}};
  for (const auto& [words, said] : lines) {
    const Ran ran = run(words);
    EXPECT_EQ(ran.code, 2) << words;
    EXPECT_THAT(ran.errors, HasSubstr(said)) << words;
    EXPECT_THAT(ran.output, IsEmpty()) << words;
  }
  const Ran help = run("--help");
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.output, HasSubstr("inspect DIR"));
}

}  // namespace
}  // namespace reelfarm::weights

// One transformer in every form that is read, rendered by the program: the form must not show.
#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <string>

#include "pipeline/weights/safetensors_writer.hpp"
#include "tests/render/render_program.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::render_test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const fs::path kReference = fs::path(REELFARM_REFERENCE_DIR) / "pipeline";
const fs::path kPlain = kReference / "t2v";

class RenderForms : public testing::Test {
 protected:
  /// Final latents of two steps.
  std::vector<float> latents(const fs::path& bundle, const std::string& more = "") const {
    const fs::path saved = folder_ / "latents.safetensors";
    const Outcome ended = render("--bundle " + bundle.string() +
                                 " --prompt 'a red circle' --size 64x48 --frames 5 --steps 2 --seed 5 --device cpu "
                                 "--threads 1 --dtype fp32 --overwrite --save-latents " +
                                 saved.string() + " --output " + (folder_ / "clip.mp4").string() + more);
    EXPECT_EQ(ended.exit_code, 0) << ended.output;
    return read(saved, "latents").values;
  }
  fs::path made(const std::string& words, const std::string& name) const {
    const fs::path target = folder_ / name;
    const Outcome ended = shell("reelfarm-bundle " + words + " --to " + target.string());
    EXPECT_EQ(ended.exit_code, 0) << ended.output;
    return target;
  }

  test::TemporaryFolder folder_;
};

TEST_F(RenderForms, PublishedFilesInTheBundleGiveTheSameBits) {
  const std::vector<float> plain = latents(kPlain);
  for (const char* file : {"t2v.pt", "t2v.gguf"}) {
    SCOPED_TRACE(file);
    const fs::path bundle = folder_ / (std::string(file) + ".bundle");
    fs::copy(kPlain, bundle, fs::copy_options::recursive);
    fs::remove_all(bundle / "transformer");
    fs::create_directory(bundle / "transformer");
    fs::copy_file(kPlain / "transformer/config.json", bundle / "transformer/config.json");
    fs::copy_file(kReference / file, bundle / "transformer" / file);
    EXPECT_EQ(latents(bundle), plain);
  }
}

TEST_F(RenderForms, ALoraAddedAtLoadOrForGoodGivesTheSameBits) {
  const std::string lora = (folder_ / "lora.safetensors").string();
  constexpr std::int64_t kWidth = 48, kRank = 2;
  {
    const std::string layer = "diffusion_model.double_blocks.0.img_attn.proj.";
    weights::SafetensorsWriter writer(lora, {{layer + "lora_up.weight", weights::DType::f32, {kWidth, kRank}},
                                             {layer + "lora_down.weight", weights::DType::f32, {kRank, kWidth}}});
    for (const char* factor : {"lora_up.weight", "lora_down.weight"}) {
      std::vector<float> values(kWidth * kRank);
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i) + 1);
      writer.append(layer + factor, std::as_bytes(std::span(values)));
    }
    writer.finish();
  }
  const std::vector<float> plain = latents(kPlain), laid = latents(kPlain, " --lora " + lora + ":0.5");
  EXPECT_GT(relative_error(laid, plain), 1e-3);
  EXPECT_EQ(laid, latents(made("convert " + kPlain.string() + " --lora " + lora + ":0.5", "with")));
  const std::vector<float> apart = latents(kPlain, " --lora " + lora + ":0.5 --lora-apart");
  EXPECT_NE(apart, laid);
  EXPECT_LE(relative_error(apart, laid), 1e-5);
  // Of weights in 8 bits it is kept apart without being asked.
  const fs::path int8 = made("quantize " + kPlain.string() + " --format int8", "int8");
  const std::vector<float> beside = latents(int8, " --lora " + lora + ":0.5");
  EXPECT_EQ(beside, latents(int8, " --lora " + lora + ":0.5 --lora-apart"));
  EXPECT_LE(relative_error(beside, laid), 0.05);
  const Outcome missing = render("--bundle " + kPlain.string() + " --prompt x --output x.mp4 --lora /no/such:2");
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_THAT(missing.output, HasSubstr("--lora /no/such:2: no such file"));
}

TEST_F(RenderForms, EightBitBundlesRenderWithoutTheirSource) {
  const std::vector<float> plain = latents(kPlain);
  for (const auto& [format, largest] : {std::pair{"int8", 0.05}, {"fp8", 0.2}}) {
    const double error = relative_error(
        latents(made("quantize " + kPlain.string() + " --modulation --format " + format, format)), plain);
    std::printf("%s: latents %.2e\n", format, error);
    EXPECT_LE(error, largest);
    EXPECT_GT(error, 0);
  }
}

}  // namespace
}  // namespace reelfarm::render_test

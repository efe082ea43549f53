// `reelfarm render --dtype fp8` where the device has no 8-bit products, `--dtype w8a8`, which every device has, and a
// device that is not there.
#include <gmock/gmock.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include "tests/render/render_program.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::render_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(RenderDtype, EightBitsFallBackWithASentenceAndTheFramesOfAuto) {
  const test::TemporaryFolder folder;
  const auto frames = [&](const std::string& dtype, const auto& expected) {
    const std::filesystem::path saved = folder / (dtype + ".safetensors");
    const Outcome ended =
        render("--bundle " + std::string(REELFARM_REFERENCE_DIR) +
               "/pipeline/t2v --prompt 'a red circle' --size 64x48 --frames 5 --steps 1 --seed 5 "
               "--device cpu --threads 1 --dtype " +
               dtype + " --save-frames " + saved.string() + " --output " + (folder / (dtype + ".mp4")).string());
    EXPECT_EQ(ended.exit_code, 0) << ended.output;
    EXPECT_THAT(ended.output, expected);
    return read(saved, "video").values;
  };
  const std::string sentence = "--dtype fp8 needs a GPU of compute capability 8.9 or newer, and this runs on the CPU";
  const auto fallen = frames("fp8", HasSubstr(sentence));
  EXPECT_EQ(fallen, frames("auto", Not(HasSubstr(sentence))));
}

TEST(RenderDevice, AGpuThatIsNotThereIsBadInput) {
  const Outcome ended = shell("CUDA_VISIBLE_DEVICES= reelfarm-render --bundle " + std::string(REELFARM_REFERENCE_DIR) +
                              "/pipeline/t2v --prompt 'a red circle' --device cuda --output absent.mp4");
  EXPECT_EQ(ended.exit_code, 2) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr("--device cuda"));
}

TEST(RenderDtype, W8a8GivesTheClipOfTheFullTypeAndTheSameBitsAgain) {
  const test::TemporaryFolder folder;
  const auto latents = [&](const std::string& bundle, const std::string& dtype) {
    const std::filesystem::path saved = folder / "latents.safetensors";
    const Outcome ended =
        render("--bundle " + bundle +
               " --prompt 'a red circle' --size 64x48 --frames 5 --steps 4 --seed 5 --device cpu "
               "--threads 1 --overwrite --dtype " +
               dtype + " --save-latents " + saved.string() + " --output " + (folder / "clip.mp4").string());
    EXPECT_EQ(ended.exit_code, 0) << ended.output;
    return read(saved, "latents").values;
  };
  // Of the type that w8a8 computes in here, which itself may be far from fp32: a processor that multiplies bf16 makes
  // this clip 5.5e-2 apart. Products in 8 bits add 6.7e-3 in fp32 and 7.6e-3 in bf16.
  constexpr double kBound = 1.5e-2;
  const std::string plain = std::string(REELFARM_REFERENCE_DIR) + "/pipeline/t2v";
  const std::string stored = (folder / "int8").string();
  const Outcome quantised = shell("reelfarm-bundle quantize " + plain + " --format int8 --to " + stored);
  ASSERT_EQ(quantised.exit_code, 0) << quantised.output;
  const std::vector<float> full = latents(plain, "auto"), integers = latents(plain, "w8a8");
  const double error = relative_error(integers, full);
  std::printf("w8a8: latents %.2e, from int8 weights %.2e\n", error, relative_error(latents(stored, "w8a8"), full));
  EXPECT_GT(error, 1e-4);
  EXPECT_LE(error, kBound);
  EXPECT_EQ(latents(plain, "w8a8"), integers);
  EXPECT_LE(relative_error(latents(stored, "w8a8"), full), kBound);
}

}  // namespace
}  // namespace reelfarm::render_test

// `reelfarm render --dtype fp8` where the device has no 8-bit products.
#include <gmock/gmock.h>

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

}  // namespace
}  // namespace reelfarm::render_test

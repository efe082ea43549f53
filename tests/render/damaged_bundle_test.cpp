// The shipped bundle with a damaged file: every way to find it names the file and the tensor.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/render/render_program.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::render_test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class DamagedBundle : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::copy(fs::path(REELFARM_SOURCE_DIR) / "bundles" / "demo", bundle(), fs::copy_options::recursive);
  }

  fs::path bundle() const { return folder_ / "demo"; }
  fs::path file() const { return bundle() / "transformer" / "diffusion_pytorch_model.safetensors"; }
  Outcome render_one_window() const {
    return render("--bundle " + bundle().string() + " --prompt 'a red ball' --frames 9 --window 9 --overlap 1" +
                  " --size 64x48 --steps 1 --threads 1 --device cpu --output " + (folder_ / "clip.mp4").string());
  }
  Outcome verify() const { return shell("reelfarm-bundle verify " + bundle().string()); }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(DamagedBundle, AShortFileIsNamedWithTheTensorThatIsCut) {
  fs::resize_file(file(), fs::file_size(file()) - 100);
  const auto named = AllOf(HasSubstr(file().string()), HasSubstr("tensor \"x_embedder.proj.weight\""));
  const Outcome refused = render_one_window();
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.output, named);
  const Outcome verified = verify();
  EXPECT_EQ(verified.exit_code, 2);
  EXPECT_THAT(verified.output, named);
}

TEST_F(DamagedBundle, NumbersThatAreNoneLeadToTheirTensor) {
  {
    std::fstream stream(file(), std::ios::binary | std::ios::in | std::ios::out);
    stream.seekp(static_cast<std::streamoff>(fs::file_size(file()) / 2));
    stream << std::string(4096, '\xff');
    ASSERT_TRUE(stream.good());
  }
  const Outcome verified = verify();
  EXPECT_EQ(verified.exit_code, 2);
  EXPECT_THAT(verified.output, AllOf(HasSubstr(file().string()), HasSubstr("2048 of"), HasSubstr("not finite")));
  EXPECT_THAT(verified.output, HasSubstr("tensor \"single_transformer_blocks."));
  const Outcome rendered = render_one_window();
  EXPECT_NE(rendered.exit_code, 0);
  EXPECT_THAT(rendered.output, AllOf(HasSubstr("NaN"), HasSubstr("bundle verify " + bundle().string())));
  EXPECT_FALSE(fs::exists(bundle().parent_path() / "clip.mp4"));
}

}  // namespace
}  // namespace reelfarm::render_test

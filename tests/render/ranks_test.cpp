// `mpirun -n N reelfarm render` gives the frames of one process.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/render/render_program.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::render_test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

const fs::path kReference = fs::path(REELFARM_REFERENCE_DIR) / "pipeline";
const fs::path kDemo = fs::path(REELFARM_SOURCE_DIR) / "bundles" / "demo";
const std::string kMpirun = "mpirun --oversubscribe --bind-to none ";

std::string words(const std::string& bundle, const std::string& more, const std::string& size = "64x48") {
  return " --bundle " + bundle + " --prompt 'a red circle moves right' --size " + size +
         " --seed 5 --device cpu --dtype fp32 --threads 1 " + more;
}

class RenderRanks : public testing::Test {
 protected:
  /// The frames that `ranks` processes make.
  Floats frames(int ranks, const std::string& arguments) {
    const fs::path saved = folder_ / (std::to_string(ranks) + ".safetensors");
    const fs::path clip = folder_ / (std::to_string(ranks) + ".mp4");
    const std::string launcher = ranks == 1 ? "" : kMpirun + "-n " + std::to_string(ranks) + " ";
    const Outcome ended = shell(launcher + "reelfarm-render" + arguments + " --overwrite --save-frames " +
                                saved.string() + " --output " + clip.string());
    EXPECT_EQ(ended.exit_code, 0) << ended.output;
    EXPECT_TRUE(fs::exists(clip));
    return read(saved, "video");
  }

  void expect_same_frames(const std::string& arguments) {
    const Floats alone = frames(1, arguments);
    for (const int ranks : {2, 3}) {
      const Floats found = frames(ranks, arguments);
      ASSERT_EQ(found.shape, alone.shape);
      double worst = 0;
      for (std::size_t i = 0; i < alone.values.size(); ++i) {
        worst = std::max(worst, std::abs(static_cast<double>(found.values[i]) - alone.values[i]));
      }
      std::printf("%d ranks: at most %.2e of 1\n", ranks, worst);
      EXPECT_LE(worst, 1.0 / 255);
    }
  }

  test::TemporaryFolder folder_;
};

TEST_F(RenderRanks, AnImageThatMovesLooksAsOfOneRank) {
  expect_same_frames(
      words((kReference / "latent_concat").string(), "--frames 17 --image " + (kReference / "photo.png").string()));
}

TEST_F(RenderRanks, AnImageOfSeveralTilesIsEncodedByAll) {
  expect_same_frames(words(
      (kReference / "latent_concat").string(),
      "--frames 5 --steps 1 --tiles diffusers-spatial --image " + (kReference / "photo.png").string(), "288x272"));
}

TEST_F(RenderRanks, AFirstFrameFromTextAndItsClipLookAsOfOneRank) {
  expect_same_frames(words(kDemo.string(), "--frames 33"));
}

TEST_F(RenderRanks, AMeshThatDoesNotFitIsRefusedOnceWithThoseThatDo) {
  const Outcome ended = shell(kMpirun + "-n 3 reelfarm-render" +
                              words(kDemo.string(), "--mesh 2x1 --output " + (folder_ / "a.mp4").string()));
  EXPECT_EQ(ended.exit_code, 2) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr("--mesh 2x1 is no mesh of 3 rank(s)"));
  EXPECT_THAT(ended.output, HasSubstr("these are: 1x3"));
  EXPECT_EQ(ended.output.find("--mesh 2x1"), ended.output.rfind("--mesh 2x1")) << ended.output;
}

TEST_F(RenderRanks, AnImageThatOnlyRank0ReadsAndRefusesEndsAllRanks) {
  const fs::path clip = folder_ / "a.mp4";
  const fs::path image = folder_ / "no.png";
  std::ofstream(image) << "no image";
  const Outcome ended =
      shell(kMpirun + "-n 2 reelfarm-render" +
            words((kReference / "latent_concat").string(), "--image " + image.string() + " --output " + clip.string()));
  EXPECT_EQ(ended.exit_code, 2) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr("no.png"));
  EXPECT_FALSE(fs::exists(clip));
}

TEST_F(RenderRanks, AMissingImageIsRefusedBeforeTheWeightsAreLoaded) {
  const Outcome ended =
      render(words((kReference / "latent_concat").string(), "--image /nowhere.png --output /nowhere.mp4"));
  EXPECT_EQ(ended.exit_code, 2) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr("--image /nowhere.png: there is no such file"));
  EXPECT_THAT(ended.output, Not(HasSubstr("load")));
}

TEST_F(RenderRanks, ARankWithoutItsWeightsEndsAllAndIsNamed) {
  fs::copy(kDemo, folder_ / "torn", fs::copy_options::recursive);
  for (const auto& entry : fs::directory_iterator(folder_ / "torn" / "vae")) {
    if (entry.path().extension() == ".safetensors") fs::resize_file(entry.path(), 100);
  }
  const std::string output = "--output " + (folder_ / "a.mp4").string();
  const Outcome ended = shell(kMpirun + "-n 1 reelfarm-render" + words(kDemo.string(), output) +
                              " : -n 1 reelfarm-render" + words((folder_ / "torn").string(), output));
  EXPECT_EQ(ended.exit_code, 2) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr("reelfarm render: rank 1 of 2: "));
  EXPECT_THAT(ended.output, HasSubstr("torn/vae"));
  EXPECT_THAT(ended.output, Not(HasSubstr("rank 0 of 2")));
}

}  // namespace
}  // namespace reelfarm::render_test

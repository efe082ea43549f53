// The window that a group renders before it takes a task.
#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "pipeline/render/renderer.hpp"
#include "pipeline/render/warm_up.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::render {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const fs::path kDemo = fs::path(REELFARM_SOURCE_DIR) / "bundles" / "demo";

Renderer on_cpu(const fs::path& bundle, const std::string& tiles = "diffusers") {
  return Renderer(weights::Bundle::open(bundle), {{at::kCPU, at::kFloat}, tiles});
}

at::Tensor frames_of(const Renderer& renderer, const WindowRequest& request) {
  std::vector<at::Tensor> pieces;
  renderer.decode(renderer.denoise(request), {}, [&](const DecodedFrames& piece) { pieces.push_back(piece.rgb8); });
  return at::cat(pieces);
}

TEST(WarmUp, IsOfTheUsualSizeAndNoLongerThanItMustBe) {
  const Renderer renderer = on_cpu(kDemo);
  const WindowRequest request = warm_up_window(renderer);
  EXPECT_EQ(request.width, renderer.manifest().width);
  EXPECT_EQ(request.height, renderer.manifest().height);
  EXPECT_EQ(request.steps, 1);
  EXPECT_EQ(request.condition.size(0), renderer.manifest().overlap_frames.front());
  // A tile of five latents, and what begins the next.
  EXPECT_EQ(request.num_latents, 5);
}

TEST(WarmUp, IsOneTileOfAPlanWithoutTiles) {
  EXPECT_EQ(warm_up_window(on_cpu(kDemo, "whole")).num_latents, 4);
}

TEST(WarmUp, DecodeTilesAreThoseOfThePlan) {
  const Renderer renderer = on_cpu(kDemo);
  EXPECT_EQ(renderer.decode_tiles(160, 96, 31), 10);
  EXPECT_EQ(on_cpu(kDemo, "whole").decode_tiles(160, 96, 31), 1);
}

TEST(WarmUp, ChangesNoBitOfWhatComesAfterItAndReportsOnlyItself) {
  const Renderer cold = on_cpu(kDemo);
  const Renderer warm = on_cpu(kDemo);
  std::set<Phase> phases;
  warm_up(warm, [&](const Progress& progress) { phases.insert(progress.phase); });
  EXPECT_EQ(phases, std::set{Phase::warm_up});
  WindowRequest request = warm_up_window(cold);
  request.prompt = "a red star moving left over the sea";
  request.steps = 2;
  EXPECT_TRUE(at::equal(frames_of(warm, request), frames_of(cold, request)));
}

TEST(WarmUp, LatentsThatWereKeptAreHeldToTheSame) {
  const Renderer renderer = on_cpu(kDemo);
  WindowRequest request = warm_up_window(renderer);
  const auto shape = renderer.latent_shape(request.width, request.height, request.num_latents);
  request.resume = StepState{request.steps, at::full(shape, std::numeric_limits<float>::quiet_NaN())};
  EXPECT_THAT([&] { renderer.denoise(request); }, ThrowsMessage<std::runtime_error>(HasSubstr("hold NaN")));
}

TEST(WarmUp, FindsWeightsThatGiveNoNumbers) {
  const test::TemporaryFolder folder;
  const fs::path bundle = folder / "demo";
  fs::copy(kDemo, bundle, fs::copy_options::recursive);
  const fs::path file = bundle / "transformer" / "diffusion_pytorch_model.safetensors";
  {
    std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
    stream.seekp(static_cast<std::streamoff>(fs::file_size(file) / 2));
    stream << std::string(4096, '\xff');
    ASSERT_TRUE(stream.good());
  }
  const Renderer renderer = on_cpu(bundle);
  EXPECT_THAT([&] { warm_up(renderer); },
              ThrowsMessage<std::runtime_error>(HasSubstr("bundle verify " + bundle.string())));
}

}  // namespace
}  // namespace reelfarm::render

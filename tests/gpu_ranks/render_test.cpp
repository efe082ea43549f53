// Windows of the demo bundle over GPUs, one denoising while another is decoded, give what one GPU gives.
#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <future>
#include <optional>
#include <string>
#include <vector>

#include "parallel/mpi_session.hpp"
#include "pipeline/render/follower.hpp"
#include "pipeline/render/renderer.hpp"
#include "pipeline/render/warm_up.hpp"
#include "tests/gpu_ranks/own_gpu.hpp"

namespace reelfarm::render {
namespace {

using reelfarm::testing::kGpu;

constexpr int kWidth = 160;
constexpr int kHeight = 96;
constexpr int kWindows = 4;

WindowRequest window(const at::Tensor& first_frame, int index) {
  WindowRequest request;
  request.prompt = "a red star moving left over the sea";
  request.condition = first_frame.unsqueeze(0);
  request.width = kWidth;
  request.height = kHeight;
  request.num_latents = 31;
  request.seed = static_cast<std::uint64_t>(100 + index);
  request.steps = 4;
  request.shift = 5;
  return request;
}

at::Tensor frames_of(const Renderer& renderer, const at::Tensor& latents) {
  std::vector<at::Tensor> frames;
  renderer.decode(latents, {}, [&](const DecodedFrames& piece) { frames.push_back(piece.rgb8); });
  return at::cat(frames);
}

/// Each window is decoded while the next one denoises, as in a farm.
std::vector<at::Tensor> overlapped(const Renderer& renderer, const at::Tensor& first_frame) {
  std::vector<std::future<at::Tensor>> decoding;
  for (int i = 0; i < kWindows; ++i) {
    const at::Tensor latents = renderer.denoise(window(first_frame, i));
    EXPECT_TRUE(latents.isfinite().all().item<bool>());
    if (i > 0) decoding.back().wait();
    decoding.push_back(std::async(std::launch::async, [&renderer, latents] { return frames_of(renderer, latents); }));
  }
  std::vector<at::Tensor> frames;
  for (auto& each : decoding) frames.push_back(each.get());
  return frames;
}

TEST(RenderOnGpus, OverlappedWindowsAreThoseOfOneGpu) {
  const weights::Bundle bundle = weights::Bundle::open(REELFARM_SOURCE_DIR "/bundles/demo");
  const nn::Placement placement{kGpu, at::kFloat};
  auto world = parallel::MpiSession::world();
  const auto mesh = mesh_for(bundle, "", world->size(), world->size());
  const RankGroups ranks = rank_groups(std::move(world), parallel::MpiSession::world(), mesh, kGpu);
  if (ranks.denoise->rank() != 0) return Follower(bundle, placement, ranks).run();

  const Renderer alone(bundle, {placement, "diffusers", nullptr});
  const at::Tensor first_frame = alone.first_frame("a red star moving left over the sea", kWidth, kHeight, 7);
  const Renderer together(bundle, {placement, "diffusers", &ranks});
  EXPECT_EQ(together.way_of_heads().empty(), mesh.ulysses == 1);
  const at::Tensor shared_first = together.first_frame("a red star moving left over the sea", kWidth, kHeight, 7);
  const auto apart = [](const at::Tensor& a, const at::Tensor& b) {
    return (a.to(at::kInt) - b.to(at::kInt)).abs().max().item<int>();
  };
  EXPECT_LE(apart(shared_first, first_frame), 1);
  const std::vector<at::Tensor> found = overlapped(together, first_frame);
  for (int i = 0; i < kWindows; ++i) {
    const at::Tensor expected = frames_of(alone, alone.denoise(window(first_frame, i)));
    EXPECT_LE(apart(found[static_cast<std::size_t>(i)], expected), 1) << "window " << i;
  }
  // The same again: within a fingerprint bits depend neither on timing nor on what was rendered before.
  warm_up(together);
  const std::vector<at::Tensor> again = overlapped(together, first_frame);
  for (int i = 0; i < kWindows; ++i) {
    EXPECT_TRUE(at::equal(again[static_cast<std::size_t>(i)], found[static_cast<std::size_t>(i)])) << "window " << i;
  }
}

}  // namespace
}  // namespace reelfarm::render

#include "pipeline/render/warm_up.hpp"

#include <algorithm>

#include <ATen/ATen.h>

#include "pipeline/windows/grid.hpp"

namespace reelfarm::render {

WindowRequest warm_up_window(const Renderer& renderer) {
  const weights::BundleManifest& manifest = renderer.manifest();
  WindowRequest request;
  request.prompt = "a first window that nobody sees";
  request.width = manifest.width;
  request.height = manifest.height;
  request.steps = 1;
  request.shift = manifest.sampling.shift;
  request.guidance = manifest.sampling.guidance;
  std::int64_t given = 0;
  if (manifest.needs_image()) {
    // As many frames as most windows are given: what encodes one frame is another kernel than what encodes nine.
    const std::int64_t frames = manifest.overlap_frames.front();
    request.condition = at::full({frames, request.height, request.width, video::Image::kChannels}, 128, at::kByte);
    given = windows::latents_for_frames(frames);
  }
  const auto tiles = [&](std::int64_t latents) {
    return renderer.decode_tiles(request.width, request.height, latents);
  };
  const RankGroups* groups = renderer.options().ranks;
  const std::size_t ranks = groups == nullptr ? 1 : static_cast<std::size_t>(groups->decode->size());
  const std::int64_t longest = std::max(given + 1, windows::latents_for_frames(manifest.window_frames));
  // One more than there are ranks: the last tile is smaller than the others, and kernels depend on the size.
  const std::size_t wanted = std::min(tiles(longest), ranks + 1);
  request.num_latents = given + 1;
  while (tiles(request.num_latents) < wanted) ++request.num_latents;
  return request;
}

void warm_up(const Renderer& renderer, const OnProgress& on_progress) {
  const OnProgress warming = [&on_progress](const Progress& progress) {
    if (on_progress) on_progress({Phase::warm_up, 0, 0, progress.fraction});
  };
  const at::Tensor latents = renderer.denoise(warm_up_window(renderer), warming);
  renderer.decode(
      latents, {}, [](const DecodedFrames&) {}, warming);
}

}  // namespace reelfarm::render

#include "bench/parallel/decode_scaling.hpp"

#include <ATen/ATen.h>

#include <cstdio>

#include "pipeline/vae/shared_decode.hpp"
#include "pipeline/vae/tile_plan.hpp"

namespace reelfarm::bench {
namespace {

double median_of(const std::function<void()>& work) {
  parallel::SingleProcessGroup alone;
  work();
  return median_seconds(alone, work);
}

}  // namespace

void decode_scaling(const vae::CausalVae& vae, parallel::ProcessGroup& world, const Clip& clip) {
  if (world.rank() != 0) return vae::follow_decodes(vae, world);
  const vae::DecodeLeader leader(vae, world);
  const at::Tensor latents =
      at::randn({1, vae.config().latent_channels, clip.frames, clip.height, clip.width}).to(vae.placement().device);
  const auto to_host = [](const vae::FrameChunk& chunk) { chunk.rgb8.cpu(); };
  const vae::DecodeOptions options;
  const vae::TilePlan tiles = vae::decode_plan(vae.config(), options.plan, clip.frames, clip.height, clip.width);
  const double alone = median_of([&] { vae.decode(latents, options, to_host); });
  const double together = median_of([&] { leader.decode(latents, options, to_host); });
  std::printf("decode, plan %s, %zu tiles: one rank %.3f s, %d ranks %.3f s, speed-up %.2f\n", options.plan.c_str(),
              tiles.frames.size() * tiles.rows.size() * tiles.columns.size(), alone, world.size(), together,
              alone / together);
}

}  // namespace reelfarm::bench

#include "bench/parallel/decode_scaling.hpp"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "bench/models/measured.hpp"
#include "pipeline/vae/shared_decode.hpp"
#include "pipeline/vae/tile_plan.hpp"

namespace reelfarm::bench {
namespace {

/// The ranks besides this one follow: what they wait for is this rank.
double median_of(const std::function<void()>& work) {
  parallel::SingleProcessGroup alone;
  work();
  return median_seconds(alone, work);
}

}  // namespace

nlohmann::json decode_scaling(const vae::CausalVae& vae, parallel::ProcessGroup& world, const Clip& clip,
                              const std::string& plan) {
  if (world.rank() != 0) {
    vae::follow_decodes(vae, world);
    return {};
  }
  const at::Tensor latents =
      at::randn({1, vae.config().latent_channels, clip.frames, clip.height, clip.width}).to(vae.placement().device);
  const auto to_host = [](const vae::FrameChunk& chunk) { chunk.rgb8.cpu(); };
  const vae::DecodeOptions options{.plan = plan};
  const vae::TilePlan tiles = vae::decode_plan(vae.config(), plan, clip.frames, clip.height, clip.width);
  peak_gib(vae.placement().device);
  double seconds = 0;
  if (world.size() == 1) {
    seconds = median_of([&] { vae.decode(latents, options, to_host); });
  } else {
    const vae::DecodeLeader leader(vae, world);
    seconds = median_of([&] { leader.decode(latents, options, to_host); });
  }
  return {
      {"seconds", seconds}, {"plan", plan}, {"tiles", tiles.tiles()}, {"peak_gib", peak_gib(vae.placement().device)}};
}

}  // namespace reelfarm::bench

#include "pipeline/dit/noise.hpp"

#include "pipeline/schedulers/counter_noise.hpp"

namespace reelfarm::dit {

at::Tensor noise_latents(std::uint64_t seed, std::int64_t channels, std::int64_t first_frame, std::int64_t frames,
                         std::int64_t height, std::int64_t width) {
  at::Tensor latents = at::empty({1, channels, frames, height, width}, at::TensorOptions().dtype(at::kFloat));
  schedulers::fill_normal(
      seed, {.channels = channels, .first_frame = first_frame, .frames = frames, .rows = height, .columns = width},
      {latents.mutable_data_ptr<float>(), static_cast<std::size_t>(latents.numel())});
  return latents;
}

}  // namespace reelfarm::dit

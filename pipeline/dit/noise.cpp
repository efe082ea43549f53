#include "pipeline/dit/noise.hpp"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include "pipeline/schedulers/counter_noise.hpp"

namespace reelfarm::dit {

at::Tensor noise_latents(std::uint64_t seed, std::int64_t channels, std::int64_t first_frame, std::int64_t frames,
                         std::int64_t height, std::int64_t width) {
  at::Tensor latents = at::empty({1, channels, frames, height, width}, at::TensorOptions().dtype(at::kFloat));
  float* values = latents.mutable_data_ptr<float>();
  const std::int64_t of_channel = frames * height * width;
  // Nothing of a window is computed before it is there, and one thread takes 19 ns for a value.
  at::parallel_for(0, channels, 1, [&](std::int64_t begin, std::int64_t end) {
    schedulers::fill_normal(seed,
                            {.first_channel = begin,
                             .channels = end - begin,
                             .first_frame = first_frame,
                             .frames = frames,
                             .rows = height,
                             .columns = width},
                            {values + begin * of_channel, static_cast<std::size_t>((end - begin) * of_channel)});
  });
  return latents;
}

}  // namespace reelfarm::dit

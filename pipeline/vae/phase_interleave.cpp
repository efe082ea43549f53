#include "pipeline/vae/phase_interleave.hpp"

#include <cstddef>
#include <cstring>

#include <ATen/Parallel.h>

#include "pipeline/nn/video_kernels.hpp"

namespace reelfarm::vae {
namespace {

constexpr auto kChannelsLast = at::MemoryFormat::ChannelsLast3d;

// `bytes` is the same for all calls of a loop and mostly a multiple of 16; std::memcpy of a size unknown to the
// compiler takes four times as long for so few.
inline void copy_voxel(std::byte* to, const std::byte* from, std::int64_t bytes) {
  std::int64_t i = 0;
  for (; i + 16 <= bytes; i += 16) std::memcpy(to + i, from + i, 16);
  for (; i < bytes; ++i) to[i] = from[i];
}

// Both tensors dense and channels last, on the CPU: one pass in the order of the result.
void interleave_rows(const at::Tensor& phases, const at::Tensor& out, bool time, bool space) {
  const std::int64_t voxel = out.size(1) * out.element_size();
  const std::int64_t step = phases.size(1) * phases.element_size();
  const std::int64_t row_phases = space ? 2 : 1;
  const std::int64_t frames = out.size(2);
  const std::int64_t height = out.size(3);
  const std::int64_t width = out.size(4);
  const auto* from = static_cast<const std::byte*>(phases.const_data_ptr());
  auto* to = static_cast<std::byte*>(out.mutable_data_ptr());
  at::parallel_for(0, out.size(0) * frames * height, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t line = begin; line < end; ++line) {
      const std::int64_t row = line % height;
      const std::int64_t frame = line / height % frames;
      const std::int64_t sample = line / height / frames;
      const std::int64_t copy = time ? 1 - frame % 2 : 0;  // frame 0 is a second copy
      const std::int64_t odd_row = space ? row % 2 : 0;
      const std::int64_t source_frame = time ? (frame + 1) / 2 : frame;
      const std::int64_t source_row = row / row_phases + odd_row;
      const std::byte* source =
          from + ((sample * phases.size(2) + source_frame) * phases.size(3) + source_row) * phases.size(4) * step +
          (copy * row_phases + odd_row) * row_phases * voxel;
      std::byte* target = to + line * width * voxel;
      for (std::int64_t column = 0; column < width; column += row_phases) {
        const std::byte* even = source + column / row_phases * step;
        copy_voxel(target + column * voxel, even, voxel);
        if (space) copy_voxel(target + (column + 1) * voxel, even + step + voxel, voxel);
      }
    }
  });
}

void interleave_slices(const at::Tensor& phases, const at::Tensor& out, bool time, bool space) {
  const std::int64_t channels = out.size(1);
  const std::int64_t frames = phases.size(2);
  const std::int64_t row_phases = space ? 2 : 1;
  std::int64_t phase = 0;
  for (std::int64_t copy = 0; copy < (time ? 2 : 1); ++copy) {
    for (std::int64_t odd_row = 0; odd_row < row_phases; ++odd_row) {
      for (std::int64_t odd_column = 0; odd_column < row_phases; ++odd_column, ++phase) {
        at::Tensor from = phases.narrow(1, phase * channels, channels);
        at::Tensor to = out;
        if (space) {
          from = from.narrow(3, odd_row, out.size(3) / 2).narrow(4, odd_column, out.size(4) / 2);
          to = to.slice(3, odd_row, to.size(3), 2).slice(4, odd_column, to.size(4), 2);
        }
        if (time && copy == 0) {
          if (frames == 1) continue;
          from = from.narrow(2, 1, frames - 1);
          to = to.slice(2, 1, to.size(2), 2);
        } else if (time) {
          to = to.slice(2, 0, to.size(2), 2);
        }
        to.copy_(from);
      }
    }
  }
}

}  // namespace

at::Tensor interleave_phases(const at::Tensor& phases, std::int64_t channels, bool time, bool space,
                             const at::Tensor& bias) {
  const std::int64_t height = space ? 2 * (phases.size(3) - 1) : phases.size(3);
  const std::int64_t width = space ? 2 * (phases.size(4) - 1) : phases.size(4);
  at::Tensor out = at::empty({phases.size(0), channels, time ? 2 * phases.size(2) - 1 : phases.size(2), height, width},
                             phases.options().memory_format(kChannelsLast));
  if (nn::plugin_takes_video(phases) && nn::plugin_takes_video(out)) {
    nn::launch_interleave_phases(phases, bias, out, time, space);
    return out;
  }
  if (bias.defined()) return interleave_phases(phases.add(bias).to(phases.scalar_type()), channels, time, space);
  if (phases.is_cpu() && phases.is_contiguous(kChannelsLast)) {
    interleave_rows(phases, out, time, space);
  } else {
    interleave_slices(phases, out, time, space);
  }
  return out;
}

}  // namespace reelfarm::vae

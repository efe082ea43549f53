#include "pipeline/nn/detail/group_norm_cpu.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <ATen/Parallel.h>

#include "pipeline/nn/detail/group_norm_loops.hpp"
#include "pipeline/nn/detail/vector_math.hpp"

namespace reelfarm::nn::detail {
namespace {

// Voxels whose sums are taken in fp32 before they meet the fp64 totals; fixed, so that the result does not depend on
// how many threads share the blocks.
constexpr std::int64_t kBlockVoxels = 2048;

// Voxels in one period of the tables: the run is then a whole number of 16-wide vectors, and long enough that the
// loop's start does not count.
std::int64_t period_voxels(std::int64_t channels) {
  const std::int64_t step = 16 / std::gcd(channels, std::int64_t{16});
  const std::int64_t wanted = (256 + channels - 1) / channels;
  return (wanted + step - 1) / step * step;
}

std::vector<float> repeat(const std::vector<float>& channels, std::int64_t times) {
  std::vector<float> table;
  table.reserve(channels.size() * static_cast<std::size_t>(times));
  for (std::int64_t i = 0; i < times; ++i) table.insert(table.end(), channels.begin(), channels.end());
  return table;
}

struct ScaleShift {
  std::vector<float> scale;
  std::vector<float> shift;
};

// Mean and variance per group from sums around a pivot (the first voxel), so that a mean far from zero cancels nothing.
template <typename T>
ScaleShift statistics(const T* x, std::int64_t voxels, std::int64_t channels, std::int64_t groups, double eps,
                      const float* weight, const float* bias) {
  const std::int64_t repeats = period_voxels(channels);
  const std::int64_t period = repeats * channels;
  std::vector<float> pivot(static_cast<std::size_t>(channels));
  std::transform(x, x + channels, pivot.begin(), [](T value) { return widen(value); });
  const std::vector<float> pivots = repeat(pivot, repeats);

  const std::int64_t blocks = (voxels + kBlockVoxels - 1) / kBlockVoxels;
  std::vector<double> partial(static_cast<std::size_t>(blocks * 2 * channels), 0.0);
  at::parallel_for(0, blocks, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> sums(static_cast<std::size_t>(2 * period));
    for (std::int64_t block = begin; block < end; ++block) {
      std::ranges::fill(sums, 0.0F);
      const std::int64_t first = block * kBlockVoxels;
      const std::int64_t count = std::min(kBlockVoxels, voxels - first) * channels;
      accumulate_moments(x + first * channels, count, pivots.data(), sums.data(), sums.data() + period, period);
      double* totals = partial.data() + block * 2 * channels;
      for (std::int64_t i = 0; i < period; ++i) {
        totals[i % channels] += sums[static_cast<std::size_t>(i)];
        totals[channels + i % channels] += sums[static_cast<std::size_t>(period + i)];
      }
    }
  });
  for (std::int64_t block = 1; block < blocks; ++block) {
    for (std::int64_t i = 0; i < 2 * channels; ++i) {
      partial[static_cast<std::size_t>(i)] += partial[static_cast<std::size_t>(block * 2 * channels + i)];
    }
  }

  ScaleShift result{std::vector<float>(static_cast<std::size_t>(channels)),
                    std::vector<float>(static_cast<std::size_t>(channels))};
  const std::int64_t size = channels / groups;
  const auto n = static_cast<double>(voxels);
  for (std::int64_t group = 0; group < groups; ++group) {
    const std::int64_t from = group * size;
    const std::int64_t to = from + size;
    double mean = 0.0;
    for (std::int64_t c = from; c < to; ++c) mean += pivot[static_cast<std::size_t>(c)] + partial[c] / n;
    mean /= static_cast<double>(size);
    double variance = 0.0;
    for (std::int64_t c = from; c < to; ++c) {
      const double offset = partial[c] / n;
      const double distance = pivot[static_cast<std::size_t>(c)] + offset - mean;
      variance += partial[channels + c] / n - offset * offset + distance * distance;
    }
    const double inverse = 1.0 / std::sqrt(std::max(variance, 0.0) / static_cast<double>(size) + eps);
    for (std::int64_t c = from; c < to; ++c) {
      const double scale = weight[c] * inverse;
      result.scale[static_cast<std::size_t>(c)] = static_cast<float>(scale);
      result.shift[static_cast<std::size_t>(c)] = static_cast<float>(bias[c] - mean * scale);
    }
  }
  return result;
}

template <typename T>
void run(const at::Tensor& x, const at::Tensor& out, const at::Tensor& weight, const at::Tensor& bias,
         std::int64_t groups, double eps) {
  const std::int64_t channels = x.size(1);
  const std::int64_t frames = x.size(2);
  const std::int64_t rows = x.size(3);
  const std::int64_t width = x.size(4);
  const std::int64_t voxels = frames * rows * width;
  const std::int64_t repeats = period_voxels(channels);
  for (std::int64_t sample = 0; sample < x.size(0); ++sample) {
    const T* from = static_cast<const T*>(x.const_data_ptr()) + sample * voxels * channels;
    T* to = static_cast<T*>(out.mutable_data_ptr()) + sample * out.stride(0);
    const ScaleShift affine =
        statistics(from, voxels, channels, groups, eps, weight.const_data_ptr<float>(), bias.const_data_ptr<float>());
    const std::vector<float> scale = repeat(affine.scale, repeats);
    const std::vector<float> shift = repeat(affine.shift, repeats);
    const std::int64_t grain = std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, width * channels));
    at::parallel_for(0, frames * rows, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        T* target = to + row / rows * out.stride(2) + row % rows * out.stride(3);
        scale_shift_silu(from + row * width * channels, target, width * channels, scale.data(), shift.data(),
                         repeats * channels);
      }
    });
  }
}

}  // namespace

bool group_norm_silu_fits(const at::Tensor& x, const at::Tensor& out) {
  const bool type = x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16;
  return type && x.device().is_cpu() && out.device().is_cpu() && out.scalar_type() == x.scalar_type() && x.dim() == 5 &&
         x.sizes() == out.sizes() && x.numel() > 0 && x.is_contiguous(at::MemoryFormat::ChannelsLast3d) &&
         out.stride(1) == 1 && out.stride(4) == x.size(1);
}

void group_norm_silu(const at::Tensor& x, const at::Tensor& out, const at::Tensor& weight, const at::Tensor& bias,
                     std::int64_t groups, double eps) {
  if (x.scalar_type() == at::kFloat) {
    run<float>(x, out, weight, bias, groups, eps);
  } else {
    run<std::uint16_t>(x, out, weight, bias, groups, eps);
  }
}

}  // namespace reelfarm::nn::detail

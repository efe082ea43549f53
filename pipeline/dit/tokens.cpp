#include "pipeline/dit/tokens.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

namespace reelfarm::dit {
namespace {

/// Angles of one axis for positions 0..length-1: (length, dim / 2) fp32. Source: arXiv 2104.09864 section 3.2.2.
at::Tensor axis_angles(std::int64_t length, std::int64_t dim, double theta) {
  const auto options = at::TensorOptions().dtype(at::kFloat);
  const at::Tensor exponent = at::arange(0, dim, 2, options) / static_cast<double>(dim);
  const at::Tensor frequency = 1.0 / at::pow(theta, exponent);
  return at::outer(at::arange(length, options), frequency);
}

}  // namespace

TokenGrid token_grid(const DitConfig& config, std::int64_t frames, std::int64_t height, std::int64_t width) {
  if (frames < 1 || height < 1 || width < 1 || frames % config.patch_size_t != 0 || height % config.patch_size != 0 ||
      width % config.patch_size != 0) {
    throw std::invalid_argument("dit: latents of " + std::to_string(frames) + " x " + std::to_string(height) + " x " +
                                std::to_string(width) + " (frames, height, width) are not whole patches of " +
                                std::to_string(config.patch_size_t) + " x " + std::to_string(config.patch_size) +
                                " x " + std::to_string(config.patch_size));
  }
  return {frames / config.patch_size_t, height / config.patch_size, width / config.patch_size};
}

std::vector<std::int64_t> latents_of_grid(const DitConfig& config, const TokenGrid& grid) {
  return {1, config.in_channels, grid.frames * config.patch_size_t, grid.rows * config.patch_size,
          grid.columns * config.patch_size};
}

TokenLayout token_layout(const DitConfig& config, const TokenGrid& grid, const TokenShard& shard, c10::Device device) {
  if (shard.offset < 0 || shard.count < 1) {
    throw std::invalid_argument("dit: token shard offset " + std::to_string(shard.offset) + ", count " +
                                std::to_string(shard.count) + " of " + std::to_string(grid.count()) + " tokens");
  }
  // Padding repeats the last token's position: any finite angle does.
  const at::Tensor index = at::arange(shard.offset, shard.offset + shard.count).clamp_max(grid.count() - 1);
  const at::Tensor frame = at::floor_divide(index, grid.rows * grid.columns);
  const at::Tensor row = at::floor_divide(index, grid.columns).remainder(grid.rows);
  const at::Tensor column = index.remainder(grid.columns);
  const at::Tensor angles =
      at::cat({axis_angles(grid.frames, config.rope_dims[0], config.rope_theta).index_select(0, frame),
               axis_angles(grid.rows, config.rope_dims[1], config.rope_theta).index_select(0, row),
               axis_angles(grid.columns, config.rope_dims[2], config.rope_theta).index_select(0, column)},
              1);
  TokenLayout layout{grid, shard, {at::cos(angles).to(device), at::sin(angles).to(device)}, 0};
  layout.first_frame_tokens = std::clamp<std::int64_t>(grid.rows * grid.columns - shard.offset, 0, shard.count);
  return layout;
}

at::Tensor patchify(const DitConfig& config, const at::Tensor& latents) {
  if (latents.dim() != 5 || latents.size(0) != 1) {
    throw std::invalid_argument("dit: expected latents of shape (1, channels, L, h, w), found " +
                                std::to_string(latents.dim()) + " dimensions");
  }
  const TokenGrid grid = token_grid(config, latents.size(2), latents.size(3), latents.size(4));
  const std::int64_t channels = latents.size(1);
  return latents
      .reshape(
          {channels, grid.frames, config.patch_size_t, grid.rows, config.patch_size, grid.columns, config.patch_size})
      .permute({1, 3, 5, 0, 2, 4, 6})
      .reshape({grid.count(), config.patch_elements(channels)});
}

at::Tensor unpatchify(const DitConfig& config, const at::Tensor& tokens, const TokenGrid& grid) {
  return tokens
      .reshape({grid.frames, grid.rows, grid.columns, config.out_channels, config.patch_size_t, config.patch_size,
                config.patch_size})
      .permute({3, 0, 4, 1, 5, 2, 6})
      .reshape({1, config.out_channels, grid.frames * config.patch_size_t, grid.rows * config.patch_size,
                grid.columns * config.patch_size});
}

}  // namespace reelfarm::dit

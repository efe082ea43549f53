#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "pipeline/dit/config.hpp"
#include "pipeline/nn/rotary.hpp"

namespace reelfarm::dit {

/// The image tokens of one clip: a grid of patches, numbered frame by frame, row by row.
struct TokenGrid {
  std::int64_t frames = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;

  std::int64_t count() const { return frames * rows * columns; }
};

/// The part [offset, offset + count) of the numbering that one rank holds. It may end, or even begin, beyond the grid:
/// those tokens are padding, whose outputs mean nothing and which attention must leave out as keys.
struct TokenShard {
  std::int64_t offset = 0;
  std::int64_t count = 0;
};

/// What depends on the clip's size and on the rank's part only: one per (size, shard), shared by all steps.
struct TokenLayout {
  TokenGrid grid;
  TokenShard shard;
  nn::RotaryTable rotary;               // (shard.count, head_dim / 2) by global token index
  std::int64_t first_frame_tokens = 0;  // how many of the shard's tokens, from its start, are of latent frame 0
};

/// The grid of a (frames, height, width) latent clip. Throws std::invalid_argument when a patch does not divide it.
TokenGrid token_grid(const DitConfig& config, std::int64_t frames, std::int64_t height, std::int64_t width);

/// (1, in_channels, L, h, w): the shape of the latents that fill a grid.
std::vector<std::int64_t> latents_of_grid(const DitConfig& config, const TokenGrid& grid);

/// Layout of a part of the grid, its table on `device`. Throws std::invalid_argument for a negative offset or no
/// tokens.
TokenLayout token_layout(const DitConfig& config, const TokenGrid& grid, const TokenShard& shard, c10::Device device);

/// (1, channels, L, h, w) -> (tokens, channels * patch_size_t * patch_size^2): one row per patch, channel slowest.
at::Tensor patchify(const DitConfig& config, const at::Tensor& latents);

/// The inverse for out_channels: rows as patchify makes them -> (1, out_channels, L, h, w).
at::Tensor unpatchify(const DitConfig& config, const at::Tensor& tokens, const TokenGrid& grid);

}  // namespace reelfarm::dit

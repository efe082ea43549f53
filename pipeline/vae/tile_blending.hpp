#pragma once

#include <cstdint>
#include <functional>

#include <ATen/core/Tensor.h>

#include "pipeline/vae/tile_plan.hpp"

namespace reelfarm::vae {

/// Mixes the first slices of `tile` along `dim`, in place, with `before`, the last slices of the tile before it, of
/// which there are n: slice k becomes before * (1 - k/n) + tile * (k/n). Both fp32.
void blend_leading(const at::Tensor& tile, const at::Tensor& before, std::int64_t dim);

/// The last `count` slices along `dim`, copied, so that the rest of the tile can be freed.
at::Tensor trailing_copy(const at::Tensor& tile, std::int64_t dim, std::int64_t count);

/// Runs all tiles of one span of frames, row by row, and joins them. A tile is first mixed with the finished tile
/// above, then with the finished tile to its left, which is the order that decides the corners. Only borders are kept
/// of tiles that are done. run(row, column) returns (1, C, T, H, W) fp32 of its own.
at::Tensor join_rows_and_columns(const TilePlan& plan,
                                 const std::function<at::Tensor(const AxisTile& row, const AxisTile& column)>& run);

}  // namespace reelfarm::vae

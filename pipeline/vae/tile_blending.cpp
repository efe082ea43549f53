#include "pipeline/vae/tile_blending.hpp"

#include <vector>

namespace reelfarm::vae {

constexpr std::int64_t kRowDim = 3;
constexpr std::int64_t kColumnDim = 4;

void blend_leading(const at::Tensor& tile, const at::Tensor& before, std::int64_t dim) {
  const std::int64_t count = before.size(dim);
  if (count == 0) return;
  std::vector<std::int64_t> shape(static_cast<std::size_t>(tile.dim()), 1);
  shape[static_cast<std::size_t>(dim)] = count;
  // Divided in fp64 and rounded once, as by a scalar factor.
  const at::Tensor part = at::arange(count, at::kDouble).div_(static_cast<double>(count));
  const auto factor = [&](const at::Tensor& values) { return values.to(at::kFloat).view(shape).to(tile.device()); };
  const at::Tensor leading = tile.narrow(dim, 0, count);
  leading.mul_(factor(part));
  leading.copy_(before.mul(factor(1.0 - part)).add_(leading));
}

at::Tensor trailing_copy(const at::Tensor& tile, std::int64_t dim, std::int64_t count) {
  return tile.narrow(dim, tile.size(dim) - count, count).clone();
}

at::Tensor join_rows_and_columns(const TilePlan& plan,
                                 const std::function<at::Tensor(const AxisTile& row, const AxisTile& column)>& run) {
  const std::size_t rows = plan.rows.size();
  const std::size_t columns = plan.columns.size();
  if (rows * columns == 1) return run(plan.rows[0], plan.columns[0]);
  at::Tensor result;
  std::vector<at::Tensor> above(columns);
  for (std::size_t r = 0; r < rows; ++r) {
    const AxisTile& row = plan.rows[r];
    at::Tensor left;
    for (std::size_t c = 0; c < columns; ++c) {
      const AxisTile& column = plan.columns[c];
      const at::Tensor tile = run(row, column);
      if (r > 0) blend_leading(tile, above[c], kRowDim);
      if (c > 0) blend_leading(tile, left, kColumnDim);
      if (!result.defined()) {
        result =
            at::empty({tile.size(0), tile.size(1), tile.size(2), plan.rows.back().output_begin + plan.rows.back().keep,
                       plan.columns.back().output_begin + plan.columns.back().keep},
                      tile.options().memory_format(at::MemoryFormat::ChannelsLast3d));
      }
      result.narrow(kRowDim, row.output_begin, row.keep)
          .narrow(kColumnDim, column.output_begin, column.keep)
          .copy_(tile.narrow(kRowDim, 0, row.keep).narrow(kColumnDim, 0, column.keep));
      if (r + 1 < rows) above[c] = trailing_copy(tile, kRowDim, plan.rows[r + 1].blend);
      if (c + 1 < columns) left = trailing_copy(tile, kColumnDim, plan.columns[c + 1].blend);
    }
  }
  return result;
}

}  // namespace reelfarm::vae

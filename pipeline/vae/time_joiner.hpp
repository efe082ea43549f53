#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "pipeline/vae/tile_plan.hpp"

namespace reelfarm::vae {

/// Joins the frame tiles of a decode along time, in whatever order they come. Of tiles that are done it keeps borders
/// that wait for a neighbour, nothing else. Tiles may be joined by different joiners: the frames that two tiles mix are
/// final where the later tile is, once the end of the earlier one has been brought there.
class TimeJoiner {
 public:
  /// Final frames (1, 3, n, H, W) fp32.
  using Emit = std::function<void(std::int64_t first_frame, const at::Tensor& sample)>;

  TimeJoiner(const TilePlan& plan, Emit emit);

  /// The copied last frames of tile `index` that the next tile is mixed with; undefined when it mixes none. Call it
  /// before add(), which may change them.
  at::Tensor end_of(std::size_t index, const at::Tensor& tile) const;
  /// A tile of all rows and columns, without its dropped frames; it is written to.
  void add(std::size_t index, const at::Tensor& tile);
  /// What end_of gave for tile `index`, whose successor this joiner has or will get.
  void add_end(std::size_t index, const at::Tensor& end);

 private:
  const TilePlan& plan_;
  Emit emit_;
  std::vector<at::Tensor> heads_;  // of tiles that came before the end of the tile before them
  std::vector<at::Tensor> ends_;   // of tiles whose successor has not come
};

}  // namespace reelfarm::vae

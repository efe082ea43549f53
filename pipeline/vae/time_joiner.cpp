#include "pipeline/vae/time_joiner.hpp"

#include <utility>

#include "pipeline/vae/tile_blending.hpp"

namespace reelfarm::vae {
namespace {

constexpr std::int64_t kTimeDim = 2;

}  // namespace

TimeJoiner::TimeJoiner(const TilePlan& plan, Emit emit)
    : plan_(plan), emit_(std::move(emit)), heads_(plan.frames.size()), ends_(plan.frames.size()) {}

at::Tensor TimeJoiner::end_of(std::size_t index, const at::Tensor& tile) const {
  if (index + 1 == plan_.frames.size() || plan_.frames[index + 1].blend == 0) return {};
  return trailing_copy(tile, kTimeDim, plan_.frames[index + 1].blend);
}

void TimeJoiner::add(std::size_t index, const at::Tensor& tile) {
  const AxisTile& own = plan_.frames[index];
  std::int64_t ready = 0;
  if (own.blend > 0 && ends_[index - 1].defined()) {
    blend_leading(tile, std::exchange(ends_[index - 1], {}), kTimeDim);
  } else if (own.blend > 0) {
    heads_[index] = tile.narrow(kTimeDim, 0, own.blend).clone();
    ready = own.blend;
  }
  if (own.keep > ready) emit_(own.output_begin + ready, tile.narrow(kTimeDim, ready, own.keep - ready));
}

void TimeJoiner::add_end(std::size_t index, const at::Tensor& end) {
  const std::size_t next = index + 1;
  if (!heads_[next].defined()) {
    ends_[index] = end;
    return;
  }
  const at::Tensor head = std::exchange(heads_[next], {});
  blend_leading(head, end, kTimeDim);
  emit_(plan_.frames[next].output_begin, head);
}

}  // namespace reelfarm::vae

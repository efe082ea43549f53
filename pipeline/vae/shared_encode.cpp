#include "pipeline/vae/shared_encode.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "parallel/orders.hpp"
#include "pipeline/vae/tile_waves.hpp"

namespace reelfarm::vae {
namespace {

using parallel::kLeader;

using TileKey = std::tuple<std::size_t, std::size_t, std::size_t>;  // frames, row, column

TileKey key_of(const TileJob& job) {
  return {job.frames, job.row, job.column};
}

std::int64_t length(const AxisTile& tile) {
  return tile.input_end - tile.input_begin;
}

/// Every tile of the plan with its rank. Latents are small: unlike a decode it needs no waves to keep memory low.
std::vector<TileJob> share_tiles(const TilePlan& plan, int ranks) {
  std::vector<std::size_t> order(plan.frames.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::vector<TileJob> jobs;
  for (const TileWave& wave : tile_waves(plan, order, ranks)) {
    jobs.insert(jobs.end(), wave.jobs.begin(), wave.jobs.end());
  }
  return jobs;
}

}  // namespace

at::Tensor encode_together(const CausalVae& vae, parallel::ProcessGroup& group, const at::Tensor& video,
                           std::string_view plan_name, const OnProgress& on_progress) {
  group.set_step("encode");
  const VaeConfig& config = vae.config();
  const at::Tensor pixels = group.broadcast_tensor(video, kLeader, vae.placement().device);
  const TilePlan plan = vae.plan_encode(pixels, group.broadcast_text(std::string(plan_name), kLeader));
  const std::vector<TileJob> jobs = share_tiles(plan, group.size());
  const auto own = [&](const TileJob& job) { return job.rank == group.rank(); };

  std::size_t done = 0;
  const std::size_t total = static_cast<std::size_t>(std::ranges::count_if(jobs, own)) * vae.encode_steps();
  const auto on_block = [&] {
    ++done;
    if (on_progress) on_progress(done, total);
  };
  std::map<TileKey, at::Tensor> tiles;
  std::vector<parallel::Send> sends;
  std::vector<parallel::Receive> receives;
  for (const TileJob& job : jobs) {
    const AxisTile& frames = plan.frames[job.frames];
    const AxisTile& row = plan.rows[job.row];
    const AxisTile& column = plan.columns[job.column];
    if (own(job)) {
      at::Tensor tile = vae.encode_tile(pixels, frames, row, column, on_block);
      if (group.rank() == kLeader) {
        tiles[key_of(job)] = std::move(tile);
      } else {
        sends.push_back({tile.contiguous(), kLeader});
      }
    } else if (group.rank() == kLeader) {
      at::Tensor& tile = tiles[key_of(job)] =
          at::empty({1, config.latent_channels, config.latent_frames(length(frames)),
                     length(row) / config.spatial_compression_ratio, length(column) / config.spatial_compression_ratio},
                    at::TensorOptions().dtype(at::kFloat).device(vae.placement().device));
      receives.push_back({tile, job.rank});
    }
  }
  group.exchange(std::move(sends), std::move(receives), "encoded tiles")->wait();
  group.settle();
  if (group.rank() != kLeader) return {};
  return vae.join_encoded(plan, [&](const AxisTile& frames, const AxisTile& row, const AxisTile& column) {
    return tiles.at({static_cast<std::size_t>(&frames - plan.frames.data()),
                     static_cast<std::size_t>(&row - plan.rows.data()),
                     static_cast<std::size_t>(&column - plan.columns.data())});
  });
}

}  // namespace reelfarm::vae

#include "pipeline/vae/decode_share.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "pipeline/vae/frames.hpp"
#include "pipeline/vae/tile_blending.hpp"

namespace reelfarm::vae {
namespace {

constexpr int kLeader = 0;

std::tuple<std::size_t, std::size_t, std::size_t> key_of(const TileJob& job) {
  return {job.frames, job.row, job.column};
}

}  // namespace

DecodeShare::DecodeShare(const CausalVae& vae, parallel::ProcessGroup& group, const DecodeJob& job)
    : vae_(vae),
      group_(group),
      job_(job),
      waves_(tile_waves(job.plan, job.order, group.size(), job.leader)),
      joiner_(job.plan, [this](std::int64_t first, const at::Tensor& sample) { finish(first, sample); }) {
  for (const TileWave& wave : waves_) {
    for (const TileWave::FrameTile& tile : wave.tiles) home_[tile.index] = tile.home;
  }
}

std::size_t DecodeShare::blocks_of(const TileWave& wave) const {
  const std::ptrdiff_t jobs = std::ranges::count(wave.jobs, group_.rank(), &TileJob::rank);
  return static_cast<std::size_t>(std::max<std::ptrdiff_t>(1, jobs)) * vae_.decode_steps();
}

void DecodeShare::run(const OnProgress& on_progress, const std::function<void(const DecodedPiece&)>& on_piece,
                      const std::exception_ptr& stop) {
  std::size_t total = 0;
  for (const TileWave& wave : waves_) total += blocks_of(wave);
  std::size_t before = 0;
  for (std::size_t i = 0; i < waves_.size(); ++i) {
    group_.set_step("decode, wave " + std::to_string(i + 1) + " of " + std::to_string(waves_.size()));
    std::byte go_on{stop == nullptr};
    group_.broadcast(std::span(&go_on, 1), kLeader);
    if (go_on == std::byte{0}) return;
    std::size_t done = before;
    run_wave(waves_[i], [&] {
      ++done;
      if (on_progress) on_progress(done, total);
    });
    const std::vector<DecodedPiece> pieces = collect();
    group_.settle();
    for (const DecodedPiece& piece : pieces) on_piece(piece);
    before += blocks_of(waves_[i]);
    if (on_progress && done < before) on_progress(before, total);
  }
}

std::vector<std::int64_t> DecodeShare::shape_of(const TileJob& job) const {
  const AxisTile& frames = job_.plan.frames[job.frames];
  const auto side = [&](const AxisTile& tile) {
    return (tile.input_end - tile.input_begin) * vae_.config().spatial_compression_ratio;
  };
  return {1, 3, vae_.config().sample_frames(frames.input_end - frames.input_begin) - frames.drop,
          side(job_.plan.rows[job.row]), side(job_.plan.columns[job.column])};
}

at::Tensor DecodeShare::empty(const std::vector<std::int64_t>& shape, at::ScalarType type) const {
  return at::empty(shape, at::TensorOptions().dtype(type).device(vae_.placement().device));
}

void DecodeShare::run_wave(const TileWave& wave, const std::function<void()>& on_block) {
  const Tiles tiles = decode_and_bring_home(wave, on_block);
  ByFrames joined;
  for (const TileWave::FrameTile& tile : wave.tiles) {
    if (tile.home == group_.rank()) joined[tile.index] = join(tile.index, tiles);
  }
  ByFrames ends = exchange_ends(wave, joined);
  // In the order in which one rank would do it.
  for (const TileWave::FrameTile& tile : wave.tiles) {
    if (tile.home == group_.rank()) joiner_.add(tile.index, joined.at(tile.index));
    ++turn_;
    if (ends.contains(tile.index)) joiner_.add_end(tile.index, ends.at(tile.index));
    ++turn_;
  }
}

/// Decodes this rank's jobs, and moves tiles to the ranks that join them.
DecodeShare::Tiles DecodeShare::decode_and_bring_home(const TileWave& wave, const std::function<void()>& on_block) {
  Tiles tiles;
  std::vector<parallel::Send> sends;
  std::vector<parallel::Receive> receives;
  for (const TileJob& job : wave.jobs) {
    if (job.rank != group_.rank()) continue;
    tiles[key_of(job)] = vae_.decode_tile(job_.latents, job_.plan.frames[job.frames], job_.plan.rows[job.row],
                                          job_.plan.columns[job.column], on_block);
  }
  for (const TileJob& job : wave.jobs) {
    const int home = home_.at(job.frames);
    if (home == job.rank) continue;
    if (job.rank == group_.rank()) {
      sends.push_back({tiles.extract(key_of(job)).mapped().contiguous(), home});
    } else if (home == group_.rank()) {
      at::Tensor& tile = tiles[key_of(job)] = empty(shape_of(job), at::kFloat);
      receives.push_back({tile, job.rank});
    }
  }
  group_.exchange(std::move(sends), std::move(receives), "tiles")->wait();
  return tiles;
}

at::Tensor DecodeShare::join(std::size_t index, const Tiles& tiles) const {
  const TilePlan& plan = job_.plan;
  return join_rows_and_columns(plan, [&](const AxisTile& row, const AxisTile& column) {
    return tiles.at({index, static_cast<std::size_t>(&row - plan.rows.data()),
                     static_cast<std::size_t>(&column - plan.columns.data())});
  });
}

/// The last frames of each tile go to the rank that joins the next one, where that is decoded at all.
DecodeShare::ByFrames DecodeShare::exchange_ends(const TileWave& wave, const ByFrames& joined) {
  const TilePlan& plan = job_.plan;
  ByFrames ends;
  std::vector<parallel::Send> sends;
  std::vector<parallel::Receive> receives;
  for (const TileWave::FrameTile& tile : wave.tiles) {
    const auto next = home_.find(tile.index + 1);
    if (next == home_.end() || plan.frames[next->first].blend == 0) continue;
    if (tile.home == group_.rank()) {
      const at::Tensor end = joiner_.end_of(tile.index, joined.at(tile.index));
      if (next->second == tile.home) {
        ends[tile.index] = end;
      } else {
        sends.push_back({end.contiguous(), next->second});
      }
    } else if (next->second == group_.rank()) {
      const std::vector<std::int64_t> shape{1, 3, plan.frames[next->first].blend,
                                            plan.rows.back().output_begin + plan.rows.back().keep,
                                            plan.columns.back().output_begin + plan.columns.back().keep};
      ends[tile.index] = empty(shape, at::kFloat);
      receives.push_back({ends[tile.index], tile.home});
    }
  }
  group_.exchange(std::move(sends), std::move(receives), "tile ends")->wait();
  return ends;
}

void DecodeShare::finish(std::int64_t first_frame, const at::Tensor& sample) {
  const at::Tensor rgb = unit_frames(sample);
  pieces_.push_back({turn_, first_frame, all_finite(rgb), job_.with_float ? rgb : quantise_frames(rgb)});
}

/// The wave's pieces of all ranks in their order on the leader, none on the others.
std::vector<DecodedPiece> DecodeShare::collect() {
  const std::vector<DecodedPiece> own = std::exchange(pieces_, {});
  const at::Tensor most = group_.all_gather(at::full({1}, static_cast<std::int64_t>(own.size()), at::kLong)).max();
  at::Tensor headers = at::zeros({most.item<std::int64_t>(), 6}, at::kLong);
  for (std::size_t i = 0; i < own.size(); ++i) {
    const at::IntArrayRef sizes = own[i].frames.sizes();
    headers[static_cast<std::int64_t>(i)].copy_(at::tensor(
        {own[i].turn, own[i].first_frame, std::int64_t{own[i].finite}, sizes[0], sizes[1], sizes[2]}, at::kLong));
  }
  const at::Tensor all = group_.all_gather(headers);
  std::vector<DecodedPiece> pieces;
  std::vector<parallel::Send> sends;
  std::vector<parallel::Receive> receives;
  if (group_.rank() != kLeader) {
    for (const DecodedPiece& piece : own) sends.push_back({piece.frames, kLeader});
  } else {
    pieces = own;
    for (int rank = 1; rank < group_.size(); ++rank) {
      for (std::int64_t i = 0; i < all.size(1); ++i) {
        const auto field = [&](std::int64_t column) { return all[rank][i][column].item<std::int64_t>(); };
        if (field(3) == 0) continue;
        pieces.push_back({field(0), field(1), field(2) != 0,
                          empty({field(3), field(4), field(5), 3}, job_.with_float ? at::kFloat : at::kByte)});
        receives.push_back({pieces.back().frames, rank});
      }
    }
  }
  group_.exchange(std::move(sends), std::move(receives), "frames")->wait();
  std::ranges::stable_sort(pieces, {}, &DecodedPiece::turn);
  return pieces;
}

}  // namespace reelfarm::vae

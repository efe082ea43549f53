#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <tuple>
#include <vector>

#include <ATen/core/Tensor.h>

#include "parallel/process_group.hpp"
#include "pipeline/vae/causal_vae.hpp"
#include "pipeline/vae/tile_waves.hpp"
#include "pipeline/vae/time_joiner.hpp"

namespace reelfarm::vae {

/// What every rank must know of a decode that they share.
struct DecodeJob {
  at::Tensor latents;
  TilePlan plan;
  std::vector<std::size_t> order;  // indices into plan.frames: what is to be decoded
  bool with_float = false;
  LeadersShare leader = LeadersShare::like_others;
};

/// Finished frames on their way to the leader.
struct DecodedPiece {
  std::int64_t turn = 0;  // its place in the order of a decode by one rank
  std::int64_t first_frame = 0;
  bool finite = true;
  at::Tensor frames;  // (n, H, W, 3): fp32 where the caller wants floats, else uint8
};

/// One rank's share of one decode. Rank 0 leads.
class DecodeShare {
 public:
  DecodeShare(const CausalVae& vae, parallel::ProcessGroup& group, const DecodeJob& job);

  /// Collective. `on_progress` is called with (blocks done, all blocks) after each block of this rank's networks and
  /// after each wave, of which one without a tile for this rank counts as one tile; `on_piece` on the leader with all
  /// pieces in the order of their turns; neither may throw. Ends after the current wave once the leader's `stop` holds
  /// something.
  void run(const OnProgress& on_progress, const std::function<void(const DecodedPiece&)>& on_piece,
           const std::exception_ptr& stop);

 private:
  using TileKey = std::tuple<std::size_t, std::size_t, std::size_t>;  // frames, row, column
  using Tiles = std::map<TileKey, at::Tensor>;
  using ByFrames = std::map<std::size_t, at::Tensor>;

  std::size_t blocks_of(const TileWave& wave) const;
  void run_wave(const TileWave& wave, const std::function<void()>& on_block);
  Tiles decode_and_bring_home(const TileWave& wave, const std::function<void()>& on_block);
  at::Tensor join(std::size_t index, const Tiles& tiles) const;
  ByFrames exchange_ends(const TileWave& wave, const ByFrames& joined);
  void finish(std::int64_t first_frame, const at::Tensor& sample);
  std::vector<DecodedPiece> collect();
  std::vector<std::int64_t> shape_of(const TileJob& job) const;
  at::Tensor empty(const std::vector<std::int64_t>& shape, at::ScalarType type) const;

  const CausalVae& vae_;
  parallel::ProcessGroup& group_;
  const DecodeJob& job_;
  std::vector<TileWave> waves_;
  std::map<std::size_t, int> home_;  // of every frame tile that is decoded
  TimeJoiner joiner_;
  std::vector<DecodedPiece> pieces_;
  std::int64_t turn_ = 0;
};

}  // namespace reelfarm::vae

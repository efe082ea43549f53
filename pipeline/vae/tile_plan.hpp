#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/vae/config.hpp"

namespace reelfarm::vae {

/// One tile's share of one axis. Input and output are latents and pixels when decoding, pixels and latents when
/// encoding. Of the tile's output the first `drop` are thrown away; of the rest, the first `blend` are mixed with the
/// last `blend` of the tile before, and the first `keep` end up at `output_begin` of the result. What follows them is
/// only there for the next tile to be mixed with.
struct AxisTile {
  std::int64_t input_begin = 0;
  std::int64_t input_end = 0;
  std::int64_t output_begin = 0;
  std::int64_t drop = 0;
  std::int64_t blend = 0;
  std::int64_t keep = 0;

  bool operator==(const AxisTile&) const = default;
};

/// How a clip is cut for one encode or decode: frames x rows x columns of tiles. A pure function of the config, the
/// size and the plan's name, so that every rank and every retry cuts alike.
struct TilePlan {
  std::string name;
  std::vector<AxisTile> frames;
  std::vector<AxisTile> rows;
  std::vector<AxisTile> columns;

  std::size_t tiles() const { return frames.size() * rows.size() * columns.size(); }
  bool operator==(const TilePlan&) const = default;
};

enum class DecodeOrder { forward, last_first };

/// The names that the two functions below know, in the order of the documentation:
///   whole              no tiles; the result other plans approximate
///   diffusers          16 frames every 12 in time, whole frames; what AutoencoderKLHunyuanVideo does unasked
///   diffusers-spatial  the same with 256 pixels every 192 in height and width; its enable_tiling()
///   medium             20 frames every 16, whole frames: the eight tiles of 121 frames divide by the GPUs of a node
///   long               32 frames every 28, whole frames: three quarters of the work of `diffusers`, twice its memory
///   tencent            64 frames every 48, 256 pixels every 192; the tiling of the original HunyuanVideo code
const std::vector<std::string_view>& tile_plan_names();

/// Throws VaeError that lists the known names for one that is not among them.
void require_tile_plan(std::string_view name);

/// Throws VaeError for an unknown name, listing the known ones, and for a size that is not positive.
TilePlan decode_plan(const VaeConfig& config, std::string_view name, std::int64_t latent_frames,
                     std::int64_t latent_height, std::int64_t latent_width);

/// Also throws VaeError when the frames are not 4k + 1 or a side is not a multiple of the spatial compression.
TilePlan encode_plan(const VaeConfig& config, std::string_view name, std::int64_t frames, std::int64_t height,
                     std::int64_t width);

/// The order in which to work on plan.frames. `last_first` begins with those tiles that the last `tail_frames` output
/// frames need, so that a next window can start from them, and goes on with the others from the first.
std::vector<std::size_t> tile_order(const TilePlan& plan, DecodeOrder order, std::int64_t tail_frames);

}  // namespace reelfarm::vae

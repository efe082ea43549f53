#include "pipeline/vae/tile_plan.hpp"

#include <algorithm>
#include <array>

namespace reelfarm::vae {
namespace {

struct TileSizes {
  std::string_view name;
  bool time;
  bool space;
  std::int64_t frames;        // of a tile without the first frame of a clip, in pixels frames
  std::int64_t frame_stride;  // in pixel frames
  std::int64_t side;          // in pixels
  std::int64_t side_stride;   // in pixels
};

// Sizes: diffusers 0.42.1 autoencoder_kl_hunyuan_video.py; Tencent/HunyuanVideo vae/autoencoder_kl_causal_3d.py.
constexpr std::array kPlans = {
    TileSizes{"whole", false, false, 0, 0, 0, 0},
    TileSizes{"diffusers", true, false, 16, 12, 0, 0},
    TileSizes{"diffusers-spatial", true, true, 16, 12, 256, 192},
    TileSizes{"medium", true, false, 20, 16, 0, 0},
    TileSizes{"long", true, false, 32, 28, 0, 0},
    TileSizes{"tencent", true, true, 64, 48, 256, 192},
};

const TileSizes& sizes_of(std::string_view name) {
  const auto at = std::ranges::find(kPlans, name, &TileSizes::name);
  if (at != kPlans.end()) return *at;
  std::string names;
  for (const TileSizes& plan : kPlans) names += (names.empty() ? "" : ", ") + std::string(plan.name);
  throw VaeError("tile plan '" + std::string(name) + "' is unknown; known plans: " + names);
}

std::vector<AxisTile> whole_axis(std::int64_t input, std::int64_t output) {
  return {AxisTile{.input_begin = 0, .input_end = input, .keep = output}};
}

// Tiles of `size` inputs every `stride`; in_unit inputs are out_unit outputs.
std::vector<AxisTile> space_axis(std::int64_t input, std::int64_t size, std::int64_t stride, std::int64_t out_stride,
                                 std::int64_t out_blend, std::int64_t in_unit, std::int64_t out_unit) {
  std::vector<AxisTile> tiles;
  for (std::int64_t begin = 0; begin < input; begin += stride) {
    AxisTile tile{.input_begin = begin, .input_end = std::min(begin + size, input)};
    const std::int64_t output = (tile.input_end - begin) / in_unit * out_unit;
    tile.output_begin = begin / in_unit * out_unit;
    if (begin > 0) {
      const AxisTile& before = tiles.back();
      const std::int64_t output_before = (before.input_end - before.input_begin) / in_unit * out_unit;
      tile.blend = std::min({output, output_before, out_blend});
    }
    tile.keep = std::min(output, out_stride);
    tiles.push_back(tile);
  }
  return tiles;
}

// Tiles in time have one more input than their stride says: the frame before, whose output is dropped from all tiles
// but the first.
std::vector<AxisTile> time_axis(std::int64_t input, std::int64_t size, std::int64_t stride, std::int64_t out_stride,
                                std::int64_t out_blend, std::int64_t in_unit, std::int64_t out_unit) {
  std::vector<AxisTile> tiles;
  for (std::int64_t begin = 0; begin < input; begin += stride) {
    AxisTile tile{.input_begin = begin, .input_end = std::min(begin + size + 1, input)};
    const std::int64_t output = (tile.input_end - begin - 1) / in_unit * out_unit;  // without the first
    if (begin == 0) {
      tile.keep = std::min(output, out_stride) + 1;
    } else {
      if (output == 0) break;  // it would only repeat the last frame of the tile before
      const AxisTile& before = tiles.back();
      const std::int64_t output_before = (before.input_end - before.input_begin - 1) / in_unit * out_unit;
      tile.output_begin = begin / in_unit * out_unit + 1;
      tile.drop = 1;
      tile.blend = std::min({output, output_before, out_blend});
      tile.keep = std::min(output, out_stride);
    }
    tiles.push_back(tile);
  }
  return tiles;
}

void require_positive(std::int64_t frames, std::int64_t height, std::int64_t width, const char* what) {
  if (frames >= 1 && height >= 1 && width >= 1) return;
  throw VaeError(std::string("vae: a ") + what + " of " + std::to_string(frames) + " frames of " +
                 std::to_string(width) + "x" + std::to_string(height) + " cannot be cut into tiles");
}

}  // namespace

void require_tile_plan(std::string_view name) {
  sizes_of(name);
}

const std::vector<std::string_view>& tile_plan_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> list;
    for (const TileSizes& plan : kPlans) list.push_back(plan.name);
    return list;
  }();
  return names;
}

TilePlan decode_plan(const VaeConfig& config, std::string_view name, std::int64_t latent_frames,
                     std::int64_t latent_height, std::int64_t latent_width) {
  const TileSizes& sizes = sizes_of(name);
  require_positive(latent_frames, latent_height, latent_width, "latent clip");
  const std::int64_t time = config.temporal_compression_ratio;
  const std::int64_t space = config.spatial_compression_ratio;
  TilePlan plan{.name = std::string(name),
                .frames = whole_axis(latent_frames, config.sample_frames(latent_frames)),
                .rows = whole_axis(latent_height, latent_height * space),
                .columns = whole_axis(latent_width, latent_width * space)};
  if (sizes.time && latent_frames > sizes.frames / time) {
    plan.frames = time_axis(latent_frames, sizes.frames / time, sizes.frame_stride / time, sizes.frame_stride,
                            sizes.frames - sizes.frame_stride, 1, time);
  }
  const std::int64_t side = sizes.side / space;
  if (sizes.space && (latent_height > side || latent_width > side)) {
    const auto cut = [&](std::int64_t input) {
      return space_axis(input, side, sizes.side_stride / space, sizes.side_stride, sizes.side - sizes.side_stride, 1,
                        space);
    };
    plan.rows = cut(latent_height);
    plan.columns = cut(latent_width);
  }
  return plan;
}

TilePlan encode_plan(const VaeConfig& config, std::string_view name, std::int64_t frames, std::int64_t height,
                     std::int64_t width) {
  const TileSizes& sizes = sizes_of(name);
  require_positive(frames, height, width, "clip");
  const std::int64_t time = config.temporal_compression_ratio;
  const std::int64_t space = config.spatial_compression_ratio;
  if (frames % time != 1) {
    throw VaeError("vae: " + std::to_string(frames) + " frames cannot be encoded; expected " + std::to_string(time) +
                   "k + 1 frames, the first of which is a latent of its own");
  }
  if (height % space != 0 || width % space != 0) {
    throw VaeError("vae: frames of " + std::to_string(width) + "x" + std::to_string(height) +
                   " cannot be encoded; expected multiples of " + std::to_string(space));
  }
  TilePlan plan{.name = std::string(name),
                .frames = whole_axis(frames, config.latent_frames(frames)),
                .rows = whole_axis(height, height / space),
                .columns = whole_axis(width, width / space)};
  if (sizes.time && frames > sizes.frames) {
    const std::int64_t stride = sizes.frame_stride / time;
    plan.frames = time_axis(frames, sizes.frames, sizes.frame_stride, stride, sizes.frames / time - stride, time, 1);
  }
  if (sizes.space && (height > sizes.side || width > sizes.side)) {
    const auto cut = [&](std::int64_t input) {
      const std::int64_t stride = sizes.side_stride / space;
      return space_axis(input, sizes.side, sizes.side_stride, stride, sizes.side / space - stride, space, 1);
    };
    plan.rows = cut(height);
    plan.columns = cut(width);
  }
  return plan;
}

std::vector<std::size_t> tile_order(const TilePlan& plan, DecodeOrder order, std::int64_t tail_frames) {
  const std::size_t count = plan.frames.size();
  std::size_t tail = count;
  if (order == DecodeOrder::last_first) {
    tail = count - 1;
    const AxisTile& last = plan.frames.back();
    const std::int64_t tail_begin = last.output_begin + last.keep - tail_frames;
    // What a tile blends needs the tile before it as well.
    while (tail > 0 && plan.frames[tail].output_begin + plan.frames[tail].blend > tail_begin) --tail;
  }
  std::vector<std::size_t> result;
  for (std::size_t tile = tail; tile < count; ++tile) result.push_back(tile);
  for (std::size_t tile = 0; tile < tail; ++tile) result.push_back(tile);
  return result;
}

}  // namespace reelfarm::vae

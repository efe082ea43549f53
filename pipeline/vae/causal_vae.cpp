#include "pipeline/vae/causal_vae.hpp"

#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/vae/frames.hpp"
#include "pipeline/vae/tile_blending.hpp"
#include "pipeline/vae/time_joiner.hpp"

namespace reelfarm::vae {
namespace {

constexpr std::int64_t kTimeDim = 2;

nn::Conv3d read_mode_conv(const nn::ParameterReader& reader, std::int64_t latent_channels) {
  const std::int64_t moments = 2 * latent_channels;
  const at::Tensor weight = reader.tensor("weight", {moments, moments, 1, 1, 1});
  const at::Tensor bias = reader.tensor("bias", {moments});
  return {weight.narrow(0, 0, latent_channels), bias.narrow(0, 0, latent_channels)};
}

void require_shape(const at::Tensor& x, std::int64_t channels, const char* what) {
  if (x.dim() == 5 && x.size(0) == 1 && x.size(1) == channels && x.is_floating_point()) return;
  std::ostringstream message;
  message << "vae: " << what << " have shape " << x.sizes() << " and type " << x.scalar_type() << ", expected (1, "
          << channels << ", frames, height, width) of a floating type";
  throw VaeError(message.str());
}

at::Tensor cut(const at::Tensor& x, const AxisTile& frames, const AxisTile& row, const AxisTile& column) {
  return x.slice(2, frames.input_begin, frames.input_end)
      .slice(3, row.input_begin, row.input_end)
      .slice(4, column.input_begin, column.input_end);
}

// One tile after another through the same network: counts its blocks.
std::function<void()> block_counter(const OnProgress& on_progress, std::size_t total) {
  if (!on_progress) return {};
  return [on_progress, total, done = std::size_t{0}]() mutable { on_progress(++done, total); };
}

}  // namespace

CausalVae::CausalVae(VaeConfig config, const nn::ParameterReader& reader)
    : config_(std::move(config)),
      placement_(reader.placement()),
      encoder_(reader.scope("encoder"), config_),
      decoder_(reader.scope("decoder"), config_),
      mode_conv_(read_mode_conv(reader.scope("quant_conv"), config_.latent_channels)),
      post_quant_conv_(
          reader.scope("post_quant_conv").with_placement({reader.placement().device, at::kFloat}),
          {.in_channels = config_.latent_channels, .out_channels = config_.latent_channels, .kernel = {1, 1, 1}}) {}

std::unique_ptr<CausalVae> CausalVae::open(const std::filesystem::path& folder, const nn::Placement& placement) {
  VaeConfig config = VaeConfig::load(folder);
  const nn::ParameterReader reader(weights::TensorSource::open(folder), placement);
  auto vae = std::make_unique<CausalVae>(std::move(config), reader);
  reader.expect_all_read();
  return vae;
}

TilePlan CausalVae::plan_encode(const at::Tensor& video, std::string_view plan) const {
  require_shape(video, 3, "frames to encode");
  return encode_plan(config_, plan, video.size(2), video.size(3), video.size(4));
}

at::Tensor CausalVae::encode_tile(const at::Tensor& video, const AxisTile& frames, const AxisTile& row,
                                  const AxisTile& column, const std::function<void()>& on_block) const {
  const at::Tensor pixels = cut(video, frames, row, column).to(placement_.device).to(placement_.dtype);
  return mode_conv_(encoder_(pixels, on_block)).to(at::kFloat);
}

at::Tensor CausalVae::join_encoded(
    const TilePlan& plan,
    const std::function<at::Tensor(const AxisTile& frames, const AxisTile& row, const AxisTile& column)>& run) const {
  std::vector<at::Tensor> parts;
  at::Tensor before;
  for (std::size_t i = 0; i < plan.frames.size(); ++i) {
    const AxisTile& tile = plan.frames[i];
    at::Tensor y = join_rows_and_columns(
        plan, [&](const AxisTile& row, const AxisTile& column) { return run(tile, row, column); });
    y = y.slice(kTimeDim, tile.drop);
    if (before.defined()) blend_leading(y, before, kTimeDim);
    if (i + 1 < plan.frames.size()) before = trailing_copy(y, kTimeDim, plan.frames[i + 1].blend);
    parts.push_back(y.narrow(kTimeDim, 0, tile.keep));
  }
  return at::cat(parts, kTimeDim).mul_(config_.scaling_factor).contiguous();
}

at::Tensor CausalVae::encode(const at::Tensor& video, std::string_view plan_name, const OnProgress& on_progress) const {
  const TilePlan plan = plan_encode(video, plan_name);
  const std::function<void()> on_block = block_counter(on_progress, plan.tiles() * encoder_.steps());
  const at::Tensor input = video.to(placement_.device);
  return join_encoded(plan, [&](const AxisTile& frames, const AxisTile& row, const AxisTile& column) {
    return encode_tile(input, frames, row, column, on_block);
  });
}

void CausalVae::decode_tiles(const at::Tensor& latents, const DecodeOptions& options, const Emit& emit) const {
  require_latents(latents);
  const TilePlan plan = decode_plan(config_, options.plan, latents.size(2), latents.size(3), latents.size(4));
  const std::vector<std::size_t> order = needed_tiles(plan, options.order, options.tail_frames, options.have);
  const std::function<void()> on_block =
      block_counter(options.on_progress, plan.tiles() / plan.frames.size() * order.size() * decoder_.steps());
  TimeJoiner joiner(plan, [&](std::int64_t first_frame, const at::Tensor& sample) {
    for_lacking(options.have, first_frame, sample.size(kTimeDim), [&](std::int64_t first, std::int64_t count) {
      emit(first, sample.narrow(kTimeDim, first - first_frame, count));
    });
  });
  for (const std::size_t i : order) {
    const at::Tensor tile = join_rows_and_columns(plan, [&](const AxisTile& row, const AxisTile& column) {
      return decode_tile(latents, plan.frames[i], row, column, on_block);
    });
    const at::Tensor end = joiner.end_of(i, tile);
    joiner.add(i, tile);
    if (end.defined()) joiner.add_end(i, end);
  }
}

at::Tensor CausalVae::decode_tile(const at::Tensor& latents, const AxisTile& frames, const AxisTile& row,
                                  const AxisTile& column, const std::function<void()>& on_block) const {
  const at::Tensor input =
      cut(latents, frames, row, column).to(placement_.device, at::kFloat).div(config_.scaling_factor);
  return decoder_(post_quant_conv_(input), on_block).to(at::kFloat).slice(kTimeDim, frames.drop);
}

void CausalVae::decode(const at::Tensor& latents, const DecodeOptions& options,
                       const std::function<void(FrameChunk)>& on_frames) const {
  decode_tiles(latents, options, [&](std::int64_t first_frame, const at::Tensor& sample) {
    at::Tensor rgb = unit_frames(sample);
    if (!all_finite(rgb)) throw_not_finite(first_frame);
    FrameChunk chunk{.first_frame = first_frame, .rgb8 = quantise_frames(rgb), .rgb = {}};
    if (options.with_float) chunk.rgb = std::move(rgb);
    on_frames(std::move(chunk));
  });
}

void CausalVae::require_latents(const at::Tensor& latents) const {
  require_shape(latents, config_.latent_channels, "latents");
}

void CausalVae::throw_not_finite(std::int64_t first_frame) const {
  throw VaeError("vae: the decoded frames from " + std::to_string(first_frame) + " on hold NaN; " +
                 at::toString(placement_.dtype) + " may be too narrow for these weights, try --dtype fp32");
}

at::Tensor CausalVae::decode_sample(const at::Tensor& latents, std::string_view plan) const {
  std::vector<at::Tensor> parts;
  DecodeOptions options;
  options.plan = plan;
  // Copied: a part is a view of its tile, whose other frames can go.
  decode_tiles(latents, options, [&](std::int64_t, const at::Tensor& sample) { parts.push_back(sample.clone()); });
  return parts.size() == 1 ? parts.front() : at::cat(parts, kTimeDim);
}

}  // namespace reelfarm::vae

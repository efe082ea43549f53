#include "pipeline/dit/transformer.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>
#include <string>

#include "pipeline/nn/parameter_reader.hpp"

namespace reelfarm::dit {
namespace {

template <typename Expected>
void expect_shape(const char* what, const at::Tensor& tensor, const Expected& fits, const std::string& expected) {
  if (tensor.defined() && fits(tensor)) return;
  std::ostringstream found;
  if (tensor.defined()) {
    found << tensor.sizes();
  } else {
    found << "nothing";
  }
  throw std::invalid_argument("dit: " + std::string(what) + " has shape " + found.str() + ", expected " + expected);
}

nn::Placement placement_of_blocks(nn::Placement placement, const DitConfig& config) {
  const bool fits = quant::width_fits(config.width()) && quant::width_fits(config.mlp_width());
  if (!fits && placement.quantisation == nn::Quantisation::fp8) placement.quantisation = nn::Quantisation::none;
  if (!fits && placement.quantisation == nn::Quantisation::w8a8) placement.quantisation = nn::Quantisation::int8;
  return placement;
}

template <typename Block>
nn::LayerStore<Block> read_blocks(const nn::ParameterReader& reader, const char* list, std::int64_t count,
                                  std::int64_t resident, const DitConfig& config) {
  const nn::ParameterReader blocks = reader.with_placement(placement_of_blocks(reader.placement(), config));
  return {count, std::max<std::int64_t>(0, resident), reader.placement().device,
          [&](std::int64_t i) { return Block(blocks.scope(std::string(list) + "." + std::to_string(i)), config); }};
}

}  // namespace

Transformer::Transformer(const nn::ParameterReader& reader, const DitConfig& config)
    : config_(config),
      device_(reader.placement().device),
      dtype_(reader.placement().dtype),
      patch_weight_(reader
                        .tensor("x_embedder.proj.weight", {config_.width(), config_.in_channels, config_.patch_size_t,
                                                           config_.patch_size, config_.patch_size})
                        .flatten(1)),
      patch_bias_(reader.tensor("x_embedder.proj.bias", {config_.width()})),
      refiner_(reader.scope("context_embedder"), config_),
      modulation_(reader, config_),
      double_blocks_(read_blocks<DoubleBlock>(reader, "transformer_blocks", config_.num_double_blocks,
                                              reader.placement().resident_layers, config_)),
      single_blocks_(read_blocks<SingleBlock>(reader, "single_transformer_blocks", config_.num_single_blocks,
                                              reader.placement().resident_layers - config_.num_double_blocks, config_)),
      proj_out_(reader.scope("proj_out"), config_.width(), config_.patch_elements(config_.out_channels)),
      quantised_attention_(reader.placement().quantised_attention) {
  reader.expect_all_read();
}

Prepared Transformer::prepare(const TextCondition& text, std::span<const float> timesteps,
                              std::optional<float> guidance) const {
  expect_shape(
      "text condition", text.states,
      [&](const at::Tensor& t) { return t.dim() == 2 && t.size(0) > 0 && t.size(1) == config_.text_dim; },
      "(tokens > 0, " + std::to_string(config_.text_dim) + ")");
  expect_shape(
      "pooled text", text.pooled, [&](const at::Tensor& t) { return t.dim() == 1 && t.size(0) == config_.pooled_dim; },
      "(" + std::to_string(config_.pooled_dim) + ")");
  if (timesteps.empty()) throw std::invalid_argument("dit: no timesteps to prepare");
  if (guidance.has_value() != config_.guidance) {
    throw std::invalid_argument(config_.guidance ? "dit: this transformer embeds a guidance scale; none was given"
                                                 : "dit: this transformer has no guidance; a scale was given");
  }
  return {.timesteps = {timesteps.begin(), timesteps.end()},
          .text = refiner_(text.states, timesteps),
          .modulation = modulation_.table(timesteps, text.pooled, guidance)};
}

TokenLayout Transformer::layout(std::int64_t frames, std::int64_t height, std::int64_t width) const {
  const TokenGrid grid = token_grid(config_, frames, height, width);
  return token_layout(config_, grid, {0, grid.count()}, device_);
}

TokenLayout Transformer::layout(std::int64_t frames, std::int64_t height, std::int64_t width,
                                const TokenShard& shard) const {
  return token_layout(config_, token_grid(config_, frames, height, width), shard, device_);
}

at::Tensor Transformer::forward(const at::Tensor& latents, const TokenLayout& layout, const Prepared& prepared,
                                int step, const BlockCallback& on_block) const {
  const TokenGrid& grid = layout.grid;
  const std::vector<std::int64_t> expected = latents_of_grid(config_, grid);
  std::ostringstream text;
  text << at::IntArrayRef(expected);
  expect_shape(
      "input", latents, [&](const at::Tensor& t) { return t.sizes() == at::IntArrayRef(expected); }, text.str());
  if (layout.shard.offset != 0 || layout.shard.count != grid.count()) {
    throw std::invalid_argument("dit: forward over a whole clip was given the layout of a part; use forward_tokens");
  }
  const at::Tensor tokens = patchify(config_, latents.to(device_, dtype_));
  const LocalJointAttention attention(quantised_attention_);
  return unpatchify(config_, forward_tokens(tokens, layout, prepared, step, attention, on_block), grid);
}

at::Tensor Transformer::forward_tokens(const at::Tensor& tokens, const TokenLayout& layout, const Prepared& prepared,
                                       int step, const JointAttention& attention, const BlockCallback& on_block) const {
  if (step < 0 || step >= static_cast<int>(prepared.timesteps.size())) {
    throw std::invalid_argument("dit: step " + std::to_string(step) + " of " +
                                std::to_string(prepared.timesteps.size()) + " prepared steps");
  }
  const std::int64_t image = layout.shard.count;
  const at::Tensor text = prepared.text.select(0, step);  // (T, width)
  const auto options = at::TensorOptions().device(device_).dtype(dtype_);
  at::Tensor x = at::empty({image + text.size(0), config_.width()}, options);
  at::Tensor image_rows = x.narrow(0, 0, image);
  at::addmm_out(image_rows, patch_bias_, tokens.to(options), patch_weight_.t());
  x.narrow(0, image, text.size(0)).copy_(text);

  Workspace workspace(config_, x.size(0), options);
  int done = 0;
  const auto pass = [&](const auto& block, std::int64_t index) {
    block.forward(x, layout, prepared.modulation, step, index, attention, workspace);
    if (on_block) on_block(++done, num_blocks());
  };
  double_blocks_.run(double_blocks_.size(), pass);
  single_blocks_.run(single_blocks_.size(), pass);
  return proj_out_(modulated_norm(image_rows, prepared.modulation.output(step), 0, nn::Quantisation::none).values);
}

}  // namespace reelfarm::dit

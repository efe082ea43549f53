#include "pipeline/dit/modulation.hpp"

#include <string>

#include "pipeline/nn/add.hpp"
#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/quant/norm.hpp"

namespace reelfarm::dit {
namespace {

constexpr std::int64_t kDoubleChunks = 12;
constexpr std::int64_t kSingleChunks = 3;
constexpr std::int64_t kOutputChunks = 2;

/// Linears of `blocks`, streamed unless the whole model is resident.
nn::LayerStore<nn::Linear> read_linears(const nn::ParameterReader& root, const std::vector<std::string>& names,
                                        std::int64_t width, std::int64_t chunks) {
  const nn::Placement& placement = root.placement();
  const std::int64_t resident = placement.resident_layers == nn::kAllLayers ? nn::kAllLayers : 0;
  return {std::ssize(names), resident, placement.device, [&](std::int64_t i) {
            return nn::Linear(root.scope(names[static_cast<std::size_t>(i)]), width, chunks * width);
          }};
}

std::vector<std::string> double_names(std::int64_t blocks) {
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < blocks; ++i) {
    const std::string block = "transformer_blocks." + std::to_string(i);
    names.push_back(block + ".norm1.linear");
    names.push_back(block + ".norm1_context.linear");
  }
  return names;
}

std::vector<std::string> single_names(std::int64_t blocks) {
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < blocks; ++i) {
    names.push_back("single_transformer_blocks." + std::to_string(i) + ".norm.linear");
  }
  return names;
}

quant::Rows norm(const at::Tensor& x, const Modulation& modulation, nn::Quantisation quantisation) {
  return quant::modulated_layer_norm(x, modulation.scale, modulation.shift, kNormEps, quantisation);
}

}  // namespace

quant::Rows modulated_norm(const at::Tensor& x, const TokenModulation& modulation, std::int64_t first_frame_tokens,
                           nn::Quantisation quantisation) {
  quant::Rows out = norm(x, modulation.rest, quantisation);
  if (modulation.first_frame.has_value() && first_frame_tokens > 0) {
    out.narrow(0, first_frame_tokens)
        .copy_(norm(x.narrow(0, 0, first_frame_tokens), *modulation.first_frame, quantisation));
  }
  return out;
}

void add_gated_(const at::Tensor& x, const at::Tensor& y, const TokenModulation& modulation,
                std::int64_t first_frame_tokens) {
  const std::int64_t first = modulation.first_frame.has_value() ? first_frame_tokens : 0;
  if (first > 0) nn::add_gated_(x.narrow(0, 0, first), y.narrow(0, 0, first), modulation.first_frame->gate);
  const std::int64_t rest = x.size(0) - first;
  if (rest > 0) nn::add_gated_(x.narrow(0, first, rest), y.narrow(0, first, rest), modulation.rest.gate);
}

ModulationTable::ModulationTable(at::Tensor table, const DitConfig& config)
    : table_(std::move(table)),
      num_double_(config.num_double_blocks),
      num_single_(config.num_single_blocks),
      token_replace_(config.condition == ImageCondition::token_replace) {}

Modulation ModulationTable::read(std::int64_t row, std::int64_t chunk) const {
  const at::Tensor step = table_.select(0, row);
  return {step.select(0, chunk), step.select(0, chunk + 1), step.select(0, chunk + 2)};
}

TokenModulation ModulationTable::read_image(std::int64_t step, std::int64_t chunk) const {
  TokenModulation modulation{read(step, chunk), std::nullopt};
  if (token_replace_) modulation.first_frame = read(table_.size(0) - 1, chunk);
  return modulation;
}

TokenModulation ModulationTable::double_image(std::int64_t step, std::int64_t block, Branch branch) const {
  return read_image(step, block * kDoubleChunks + static_cast<std::int64_t>(branch));
}

TokenModulation ModulationTable::double_text(std::int64_t step, std::int64_t block, Branch branch) const {
  return {read(step, block * kDoubleChunks + kDoubleChunks / 2 + static_cast<std::int64_t>(branch)), std::nullopt};
}

TokenModulation ModulationTable::single(std::int64_t step, std::int64_t block) const {
  return read_image(step, num_double_ * kDoubleChunks + block * kSingleChunks);
}

TokenModulation ModulationTable::output(std::int64_t step) const {
  const at::Tensor row = table_.select(0, step);
  const std::int64_t chunk = num_double_ * kDoubleChunks + num_single_ * kSingleChunks;
  return {{.shift = row.select(0, chunk + 1), .scale = row.select(0, chunk), .gate = {}}, std::nullopt};
}

ModulationWeights::ModulationWeights(const nn::ParameterReader& reader, const DitConfig& config)
    : config_(config),
      embedder_(reader.scope("time_text_embed"), config),
      double_(read_linears(reader, double_names(config.num_double_blocks), config.width(), kDoubleChunks / 2)),
      single_(read_linears(reader, single_names(config.num_single_blocks), config.width(), kSingleChunks)),
      output_(reader.scope("norm_out.linear"), config.width(), kOutputChunks * config.width()) {}

ModulationTable ModulationWeights::table(std::span<const float> timesteps, const at::Tensor& pooled,
                                         std::optional<float> guidance) const {
  const ConditionVectors vectors = embedder_(timesteps, pooled, guidance);
  const at::Tensor rows = vectors.first_frame.defined() ? at::cat({vectors.steps, vectors.first_frame}) : vectors.steps;
  const at::Tensor input = at::silu(rows);
  const std::int64_t chunks = config_.num_double_blocks * kDoubleChunks + config_.num_single_blocks * kSingleChunks;
  at::Tensor table = at::empty({rows.size(0), chunks + kOutputChunks, config_.width()}, rows.options());
  std::int64_t chunk = 0;
  const auto fill = [&](const nn::Linear& linear, std::int64_t) {
    const at::Tensor values = linear(input).unflatten(-1, {-1, config_.width()});
    table.narrow(1, chunk, values.size(1)).copy_(values);
    chunk += values.size(1);
  };
  double_.run(double_.size(), fill);
  single_.run(single_.size(), fill);
  fill(output_, 0);
  // Within a block the scale is the second of each three; the output norm starts with its scale.
  table.narrow(1, 0, chunks).slice(1, 1, chunks, kSingleChunks).add_(1);
  table.select(1, chunks).add_(1);
  return ModulationTable(table, config_);
}

}  // namespace reelfarm::dit

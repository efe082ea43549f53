#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "pipeline/dit/condition_embedder.hpp"
#include "pipeline/nn/layer_store.hpp"
#include "pipeline/quant/rows.hpp"

namespace reelfarm::dit {

/// Shift, scale and gate of one norm and the branch behind it, (width) each. `scale` already holds 1 + scale.
struct Modulation {
  at::Tensor shift;
  at::Tensor scale;
  at::Tensor gate;  // undefined for the last norm, which has none
};

/// The modulation of image tokens: with token_replace, those of latent frame 0 have their own.
struct TokenModulation {
  Modulation rest;
  std::optional<Modulation> first_frame;
};

/// layer norm without weights, times scale, plus shift; x: (tokens, width), of which the first `first_frame_tokens` are
/// of latent frame 0.
quant::Rows modulated_norm(const at::Tensor& x, const TokenModulation& modulation, std::int64_t first_frame_tokens,
                           nn::Quantisation quantisation);

/// x += gate * y, in place.
void add_gated_(const at::Tensor& x, const at::Tensor& y, const TokenModulation& modulation,
                std::int64_t first_frame_tokens);

/// All shifts, scales and gates of a prompt: every block, every step.
///
/// One tensor, (steps (+ 1 for token_replace's time 0), chunks, width), so that it is broadcast or uploaded at once.
/// Chunks: per double block 6 of the image and 6 of the text (shift, scale, gate of attention, then of the MLP), per
/// single block 3, at the end scale and shift of the output norm.
class ModulationTable {
 public:
  ModulationTable() = default;
  ModulationTable(at::Tensor table, const DitConfig& config);

  enum class Branch { attention = 0, mlp = 3 };
  TokenModulation double_image(std::int64_t step, std::int64_t block, Branch branch) const;
  TokenModulation double_text(std::int64_t step, std::int64_t block, Branch branch) const;
  TokenModulation single(std::int64_t step, std::int64_t block) const;
  TokenModulation output(std::int64_t step) const;

  const at::Tensor& tensor() const { return table_; }
  std::int64_t steps() const { return table_.size(0) - (token_replace_ ? 1 : 0); }

 private:
  Modulation read(std::int64_t row, std::int64_t chunk) const;
  TokenModulation read_image(std::int64_t step, std::int64_t chunk) const;

  at::Tensor table_;
  std::int64_t num_double_ = 0;
  std::int64_t num_single_ = 0;
  bool token_replace_ = false;
};

/// The weights that make the table: 27 % of a published model, needed once per prompt and never by a forward. They stay
/// on the device where the placement keeps all layers there, and else are streamed through it.
class ModulationWeights {
 public:
  /// `reader` is the transformer's root scope.
  ModulationWeights(const nn::ParameterReader& reader, const DitConfig& config);

  /// The table, on the weights' device. pooled: (pooled_dim) on any device.
  ModulationTable table(std::span<const float> timesteps, const at::Tensor& pooled,
                        std::optional<float> guidance) const;

 private:
  DitConfig config_;
  ConditionEmbedder embedder_;
  // In the order of the table's chunks.
  nn::LayerStore<nn::Linear> double_;
  nn::LayerStore<nn::Linear> single_;
  nn::Linear output_;
};

}  // namespace reelfarm::dit

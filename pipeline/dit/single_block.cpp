#include "pipeline/dit/single_block.hpp"

#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/quant/joined.hpp"

namespace reelfarm::dit {
namespace {

/// A product is cut where a tile of rows ends on a GPU: products in 8 bits also want the scales of rows to begin at a
/// multiple of 16 bytes.
constexpr std::int64_t kTileRows = 128;

/// Rotates the image tokens' heads; text has no position here.
void norm_rotate(const at::Tensor& x, const at::Tensor& weight, const TokenLayout& layout, std::int64_t num_heads) {
  const std::int64_t image = layout.shard.count;
  const at::Tensor heads = x.unflatten(-1, {num_heads, -1});
  nn::rms_norm_rotate_(heads.narrow(0, 0, image), weight, kNormEps, &layout.rotary);
  nn::rms_norm_rotate_(heads.narrow(0, image, heads.size(0) - image), weight, kNormEps, nullptr);
}

}  // namespace

SingleBlock::SingleBlock(const nn::ParameterReader& reader, const DitConfig& config)
    : to_q_(reader.scope("attn.to_q"), config.width(), config.width()),
      to_k_(reader.scope("attn.to_k"), config.width(), config.width()),
      to_v_(reader.scope("attn.to_v"), config.width(), config.width()),
      norm_q_(reader.tensor("attn.norm_q.weight", {config.head_dim})),
      norm_k_(reader.tensor("attn.norm_k.weight", {config.head_dim})),
      mlp_in_(reader.scope("proj_mlp"), config.width(), config.mlp_width()),
      out_(reader.scope("proj_out"), config.width() + config.mlp_width(), config.width()),
      rows_(quant::of_rows(reader.placement().quantisation)) {}

void SingleBlock::forward(at::Tensor& x, const TokenLayout& layout, const ModulationTable& table, std::int64_t step,
                          std::int64_t block, const JointAttention& attention, Workspace& workspace) const {
  const TokenModulation modulation = table.single(step, block);
  const quant::Rows normed = modulated_norm(x, modulation, layout.first_frame_tokens, rows_);
  to_q_.into(workspace.q, normed);
  to_k_.into(workspace.k, normed);
  to_v_.into(workspace.v, normed);
  norm_rotate(workspace.q, norm_q_, layout, workspace.num_heads);
  norm_rotate(workspace.k, norm_k_, layout, workspace.num_heads);
  const auto attending = attention.begin(workspace.heads(workspace.q), workspace.heads(workspace.k),
                                         workspace.heads(workspace.v), layout.shard.count);
  const at::Tensor mlp = workspace.mlp_to_join(rows_ == nn::Quantisation::none);
  const auto multiply = [&](std::int64_t first, std::int64_t count) {
    if (count > 0) mlp_in_.into(mlp.narrow(0, first, count), normed.narrow(first, count));
  };
  // Of ranks that share the attention, one half runs beside the way of q, k and v, the other beside that of the
  // results.
  const std::int64_t front = attending->exchanges() ? x.size(0) / 2 / kTileRows * kTileRows : x.size(0);
  multiply(0, front);
  attending->attend();
  multiply(front, x.size(0) - front);
  add_gated_(x, out_(quant::join_gelu(attending->finish(), mlp, workspace.hidden, rows_)), modulation,
             layout.first_frame_tokens);
}

std::vector<at::Tensor*> SingleBlock::parameters() {
  std::vector<at::Tensor*> all{&norm_q_, &norm_k_};
  for (quant::Linear* linear : {&to_q_, &to_k_, &to_v_, &mlp_in_, &out_}) {
    for (at::Tensor* parameter : linear->parameters()) all.push_back(parameter);
  }
  return all;
}

}  // namespace reelfarm::dit

#include "pipeline/dit/token_refiner.hpp"

#include <string>

#include "pipeline/nn/attention.hpp"
#include "pipeline/nn/parameter_reader.hpp"

namespace reelfarm::dit {
namespace {

constexpr std::int64_t kMlpRatio = 4;  // fixed, whatever the config's mlp_ratio

}  // namespace

TokenRefiner::Block::Block(const nn::ParameterReader& reader, std::int64_t width)
    : norm1(reader.scope("norm1"), width, kNormEps),
      norm2(reader.scope("norm2"), width, kNormEps),
      to_q(reader.scope("attn.to_q"), width, width),
      to_k(reader.scope("attn.to_k"), width, width),
      to_v(reader.scope("attn.to_v"), width, width),
      to_out(reader.scope("attn.to_out.0"), width, width),
      mlp_in(reader.scope("ff.net.0.proj"), width, kMlpRatio * width),
      mlp_out(reader.scope("ff.net.2"), kMlpRatio * width, width),
      gates(reader.scope("norm_out.linear"), width, 2 * width) {}

TokenRefiner::TokenRefiner(const nn::ParameterReader& reader, const DitConfig& config)
    : time_(reader.scope("time_text_embed.timestep_embedder"), config.width()),
      pooled_(reader.scope("time_text_embed.text_embedder"), config.text_dim, config.width()),
      proj_in_(reader.scope("proj_in"), config.text_dim, config.width()),
      num_heads_(config.num_heads),
      options_(at::TensorOptions().device(reader.placement().device).dtype(reader.placement().dtype)) {
  for (std::int64_t i = 0; i < config.num_refiner_blocks; ++i) {
    blocks_.emplace_back(reader.scope("token_refiner.refiner_blocks." + std::to_string(i)), config.width());
  }
}

at::Tensor TokenRefiner::operator()(const at::Tensor& states, std::span<const float> timesteps) const {
  const at::Tensor input = states.to(options_).unsqueeze(0);  // (1, T, text_dim)
  const at::Tensor time =
      at::tensor(at::ArrayRef<float>(timesteps.data(), timesteps.size()), at::TensorOptions().dtype(at::kFloat))
          .to(options_.device());
  const at::Tensor mean = input.mean(1, false, at::kFloat).to(options_.dtype());
  const at::Tensor condition = at::silu(time_(time) + pooled_(mean));  // (steps, width)
  at::Tensor x = proj_in_(input).expand({static_cast<std::int64_t>(timesteps.size()), -1, -1});
  for (const Block& block : blocks_) x = run(block, x, condition);
  return x.contiguous();
}

at::Tensor TokenRefiner::run(const Block& block, const at::Tensor& x, const at::Tensor& condition) const {
  const std::vector<at::Tensor> gates = block.gates(condition).unsqueeze(1).chunk(2, -1);  // (steps, 1, width) each
  const auto heads = [&](const at::Tensor& y) { return y.unflatten(-1, {num_heads_, -1}); };
  const at::Tensor normed = block.norm1(x);
  const at::Tensor attended =
      nn::attention(heads(block.to_q(normed)), heads(block.to_k(normed)), heads(block.to_v(normed)));
  const at::Tensor mid = at::addcmul(x, block.to_out(attended.flatten(-2)), gates[0]);
  return at::addcmul(mid, block.mlp_out(at::silu(block.mlp_in(block.norm2(mid)))), gates[1]);
}

}  // namespace reelfarm::dit

#include "pipeline/vae/mid_block.hpp"

#include "pipeline/nn/attention.hpp"
#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/vae/config.hpp"

namespace reelfarm::vae {

FrameCausalAttention::FrameCausalAttention(const nn::ParameterReader& reader, std::int64_t channels,
                                           std::int64_t norm_groups)
    : norm_(reader.scope("group_norm"), norm_groups, channels, kNormEps),
      query_(reader.scope("to_q"), channels, channels),
      key_(reader.scope("to_k"), channels, channels),
      value_(reader.scope("to_v"), channels, channels),
      out_(reader.scope("to_out.0"), channels, channels) {}

at::Tensor FrameCausalAttention::operator()(const at::Tensor& x) const {
  const std::int64_t frames = x.size(2);
  const std::int64_t positions = x.size(3) * x.size(4);
  // (N, T*H*W, heads = 1, C)
  const at::Tensor tokens = norm_(x).permute({0, 2, 3, 4, 1}).flatten(1, 3).unsqueeze(2);
  const at::Tensor query = query_(tokens);
  const at::Tensor key = key_(tokens);
  const at::Tensor value = value_(tokens);
  at::Tensor attended = at::empty_like(query);
  for (std::int64_t frame = 0; frame < frames; ++frame) {
    const std::int64_t seen = (frame + 1) * positions;
    attended.narrow(1, frame * positions, positions)
        .copy_(nn::attention(query.narrow(1, frame * positions, positions), key.narrow(1, 0, seen),
                             value.narrow(1, 0, seen)));
  }
  at::Tensor y = out_(attended.squeeze(2)).unflatten(1, {frames, x.size(3), x.size(4)}).permute({0, 4, 1, 2, 3});
  return y.add_(x);
}

MidBlock::MidBlock(const nn::ParameterReader& reader, std::int64_t channels, std::int64_t norm_groups, bool attention)
    : first_(reader.scope("resnets.0"), channels, channels, norm_groups),
      second_(reader.scope("resnets.1"), channels, channels, norm_groups) {
  if (attention) attention_.emplace(reader.scope("attentions.0"), channels, norm_groups);
}

at::Tensor MidBlock::operator()(const at::Tensor& x) const {
  at::Tensor y = first_(x);
  if (attention_) y = (*attention_)(y);
  return second_(y);
}

}  // namespace reelfarm::vae

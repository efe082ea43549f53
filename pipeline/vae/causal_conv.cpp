#include "pipeline/vae/causal_conv.hpp"

#include "pipeline/nn/group_norm.hpp"
#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/vae/causal_padding.hpp"

namespace reelfarm::vae {

constexpr std::int64_t kTimePadding = 2;
constexpr std::int64_t kSpacePadding = 1;

namespace {

at::Tensor padded_norm(const nn::GroupNorm& norm, const at::Tensor& x, const at::Tensor& offset) {
  const PaddedVideo padded({x.size(0), x.size(1), x.size(2), x.size(3), x.size(4)}, x.options(), kTimePadding,
                           kSpacePadding);
  if (!norm.silu_into_padded(x, padded.whole(), kTimePadding, kSpacePadding, offset)) {
    norm.silu_into(x, padded.inside(), offset);
    padded.replicate_borders();
  }
  return padded.whole();
}

}  // namespace

CausalConv3d::CausalConv3d(const nn::ParameterReader& reader, std::int64_t in_channels, std::int64_t out_channels,
                           std::array<std::int64_t, 3> stride)
    : conv_(reader.scope("conv"),
            {.in_channels = in_channels, .out_channels = out_channels, .kernel = {3, 3, 3}, .stride = stride}) {}

at::Tensor CausalConv3d::operator()(const at::Tensor& x) const {
  return conv_(PaddedVideo(x, kTimePadding, kSpacePadding).whole());
}

at::Tensor CausalConv3d::after_norm(const nn::GroupNorm& norm, const at::Tensor& x) const {
  return conv_(padded_norm(norm, x, {}));
}

at::Tensor CausalConv3d::after_norm_before_bias(const nn::GroupNorm& norm, const at::Tensor& x,
                                                const at::Tensor& offset) const {
  return conv_.before_bias(padded_norm(norm, x, offset));
}

}  // namespace reelfarm::vae

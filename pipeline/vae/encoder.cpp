#include "pipeline/vae/encoder.hpp"

#include <array>
#include <string>

#include "pipeline/nn/parameter_reader.hpp"

namespace reelfarm::vae {

Encoder::Encoder(const nn::ParameterReader& reader, const VaeConfig& config)
    : conv_in_(reader.scope("conv_in"), 3, config.block_out_channels.front()),
      mid_(reader.scope("mid_block"), config.block_out_channels.back(), config.norm_num_groups,
           config.mid_block_add_attention),
      norm_out_(reader.scope("conv_norm_out"), config.norm_num_groups, config.block_out_channels.back(), kNormEps),
      conv_out_(reader.scope("conv_out"), config.block_out_channels.back(), 2 * config.latent_channels) {
  std::int64_t channels = config.block_out_channels.front();
  for (std::size_t i = 0; i < config.block_out_channels.size(); ++i) {
    const nn::ParameterReader scope = reader.scope("down_blocks." + std::to_string(i));
    Block block;
    for (std::int64_t layer = 0; layer < config.layers_per_block; ++layer) {
      block.resnets.emplace_back(scope.scope("resnets." + std::to_string(layer)), channels,
                                 config.block_out_channels[i], config.norm_num_groups);
      channels = config.block_out_channels[i];
    }
    const bool time = config.resamples_time(i);
    const bool space = config.resamples_space(i);
    if (time || space) {
      const std::int64_t side = space ? 2 : 1;
      block.downsample.emplace(scope.scope("downsamplers.0.conv"), channels, channels,
                               std::array<std::int64_t, 3>{time ? 2 : 1, side, side});
    }
    blocks_.push_back(std::move(block));
  }
}

at::Tensor Encoder::operator()(const at::Tensor& x, const std::function<void()>& on_block) const {
  const auto tick = [&on_block] {
    if (on_block) on_block();
  };
  at::Tensor y = conv_in_(x);
  for (const Block& block : blocks_) {
    for (const ResnetBlock& resnet : block.resnets) y = resnet(y);
    if (block.downsample) y = (*block.downsample)(y);
    tick();
  }
  y = mid_(y);
  tick();
  y = conv_out_.after_norm(norm_out_, y);
  tick();
  return y;
}

}  // namespace reelfarm::vae

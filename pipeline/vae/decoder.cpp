#include "pipeline/vae/decoder.hpp"

#include <string>

#include "pipeline/nn/parameter_reader.hpp"

namespace reelfarm::vae {

Decoder::Decoder(const nn::ParameterReader& reader, const VaeConfig& config)
    : dtype_(reader.placement().dtype),
      conv_in_(reader.scope("conv_in").with_placement({reader.placement().device, at::kFloat}), config.latent_channels,
               config.block_out_channels.back()),
      mid_(reader.scope("mid_block"), config.block_out_channels.back(), config.norm_num_groups,
           config.mid_block_add_attention),
      norm_out_(reader.scope("conv_norm_out"), config.norm_num_groups, config.block_out_channels.front(), kNormEps),
      conv_out_(reader.scope("conv_out"), config.block_out_channels.front(), 3) {
  std::int64_t channels = config.block_out_channels.back();
  const std::size_t count = config.block_out_channels.size();
  for (std::size_t i = 0; i < count; ++i) {
    const nn::ParameterReader scope = reader.scope("up_blocks." + std::to_string(i));
    const std::int64_t out_channels = config.block_out_channels[count - 1 - i];
    Block block;
    for (std::int64_t layer = 0; layer <= config.layers_per_block; ++layer) {
      block.resnets.emplace_back(scope.scope("resnets." + std::to_string(layer)), channels, out_channels,
                                 config.norm_num_groups);
      channels = out_channels;
    }
    const bool time = config.resamples_time(i);
    const bool space = config.resamples_space(i);
    if (time || space) block.upsample.emplace(scope.scope("upsamplers.0"), channels, time, space);
    blocks_.push_back(std::move(block));
  }
}

at::Tensor Decoder::operator()(const at::Tensor& z, const std::function<void()>& on_block) const {
  const auto tick = [&on_block] {
    if (on_block) on_block();
  };
  at::Tensor y = mid_(conv_in_(z).to(dtype_));
  tick();
  for (const Block& block : blocks_) {
    for (const ResnetBlock& resnet : block.resnets) y = resnet(y);
    if (block.upsample) y = (*block.upsample)(y);
    tick();
  }
  y = conv_out_.after_norm(norm_out_, y);
  tick();
  return y;
}

}  // namespace reelfarm::vae

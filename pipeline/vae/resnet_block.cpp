#include "pipeline/vae/resnet_block.hpp"

#include "pipeline/nn/add.hpp"
#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/vae/config.hpp"

namespace reelfarm::vae {

ResnetBlock::ResnetBlock(const nn::ParameterReader& reader, std::int64_t in_channels, std::int64_t out_channels,
                         std::int64_t norm_groups)
    : norm1_(reader.scope("norm1"), norm_groups, in_channels, kNormEps),
      conv1_(reader.scope("conv1"), in_channels, out_channels),
      norm2_(reader.scope("norm2"), norm_groups, out_channels, kNormEps),
      conv2_(reader.scope("conv2"), out_channels, out_channels) {
  if (in_channels != out_channels) {
    shortcut_.emplace(reader.scope("conv_shortcut.conv"),
                      nn::Conv3d::Shape{.in_channels = in_channels, .out_channels = out_channels, .kernel = {1, 1, 1}});
  }
  left_out_ = conv2_.left_out();
  if (shortcut_ && left_out_.defined()) left_out_ = left_out_ + shortcut_->left_out();
}

at::Tensor ResnetBlock::operator()(const at::Tensor& x) const {
  const at::Tensor between = conv1_.after_norm_before_bias(norm1_, x, {});
  at::Tensor y = conv2_.after_norm_before_bias(norm2_, between, conv1_.left_out());
  nn::add_(y, shortcut_ ? shortcut_->before_bias(x) : x, left_out_);
  return y;
}

}  // namespace reelfarm::vae

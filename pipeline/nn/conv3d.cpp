#include "pipeline/nn/conv3d.hpp"

#include <utility>

#include "pipeline/nn/parameter_reader.hpp"

namespace reelfarm::nn {

constexpr auto kChannelsLast = at::MemoryFormat::ChannelsLast3d;

Conv3d::Conv3d(const ParameterReader& reader, const Shape& shape)
    : Conv3d(reader.tensor("weight",
                           {shape.out_channels, shape.in_channels, shape.kernel[0], shape.kernel[1], shape.kernel[2]}),
             reader.tensor("bias", {shape.out_channels}), shape.stride) {}

Conv3d::Conv3d(const at::Tensor& weight, at::Tensor bias, std::array<std::int64_t, 3> stride)
    : weight_(weight.contiguous(kChannelsLast)), bias_(std::move(bias)), stride_(stride) {
  const bool rounds_twice = weight_.is_cuda() && weight_.scalar_type() != at::kFloat;
  if (rounds_twice) left_out_ = bias_.to(at::kFloat).view({1, -1, 1, 1, 1});
}

at::Tensor Conv3d::operator()(const at::Tensor& x) const {
  return convolve(x, bias_);
}

at::Tensor Conv3d::before_bias(const at::Tensor& x) const {
  return convolve(x, left_out_.defined() ? at::Tensor() : bias_);
}

at::Tensor Conv3d::convolve(const at::Tensor& x, const at::Tensor& bias) const {
  const at::Tensor input = x.contiguous(kChannelsLast);
  // For small fp32 inputs and 1x1x1 kernels at::conv3d takes a path without oneDNN, which is up to 7 times slower.
  if (input.device().is_cpu() && input.scalar_type() == at::kFloat && at::hasMKLDNN()) {
    return at::mkldnn_convolution(input, weight_, bias, /*padding=*/{0, 0, 0}, stride_, /*dilation=*/{1, 1, 1},
                                  /*groups=*/1)
        .contiguous(kChannelsLast);
  }
  return at::conv3d(input, weight_, bias, stride_).contiguous(kChannelsLast);
}

}  // namespace reelfarm::nn

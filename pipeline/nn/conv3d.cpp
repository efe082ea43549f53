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
    : weight_(weight.contiguous(kChannelsLast)), bias_(std::move(bias)), stride_(stride) {}

at::Tensor Conv3d::operator()(const at::Tensor& x) const {
  return at::conv3d(x.contiguous(kChannelsLast), weight_, bias_, stride_).contiguous(kChannelsLast);
}

}  // namespace reelfarm::nn

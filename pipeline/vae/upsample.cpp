#include "pipeline/vae/upsample.hpp"

#include <vector>

#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/vae/causal_padding.hpp"

namespace reelfarm::vae {
namespace {

// The kernels of the two phases along a doubled axis, each with two taps. Even outputs lie on the first copy of their
// pixel: with one pixel of padding before, taps are (previous, own, own); odd ones are (own, own, next). Causal taps
// reach one further back, so a frame's two phases both read (previous, own): first copy (previous, previous, own),
// second copy (previous, own, own).
std::vector<at::Tensor> phase_kernels(const at::Tensor& weight, std::int64_t dim) {
  const at::Tensor tap0 = weight.select(dim, 0);
  const at::Tensor tap1 = weight.select(dim, 1);
  const at::Tensor tap2 = weight.select(dim, 2);
  return {at::stack({tap0 + tap1, tap2}, dim), at::stack({tap0, tap1 + tap2}, dim)};
}

}  // namespace

UpsampleConv::UpsampleConv(const nn::ParameterReader& reader, std::int64_t channels, bool time, bool space)
    : time_(time),
      space_(space),
      channels_(channels),
      conv_(phases(reader.scope("conv.conv"), channels, time, space)) {}

nn::Conv3d UpsampleConv::phases(const nn::ParameterReader& reader, std::int64_t channels, bool time, bool space) {
  // Added in fp32, rounded once.
  std::vector<at::Tensor> kernels = {reader.tensor("weight", {channels, channels, 3, 3, 3}, at::kFloat)};
  const auto split_axis = [&kernels](std::int64_t dim, bool causal) {
    std::vector<at::Tensor> next;
    for (const at::Tensor& kernel : kernels) {
      const std::vector<at::Tensor> parts = phase_kernels(kernel, dim);
      // In space the even phase comes first, in time the first copy: see phase_kernels().
      next.push_back(parts[causal ? 0 : 1]);
      next.push_back(parts[causal ? 1 : 0]);
    }
    kernels = next;
  };
  if (time) split_axis(2, true);
  if (space) {
    split_axis(3, false);
    split_axis(4, false);
  }
  const at::Tensor bias = reader.tensor("bias", {channels});
  return {at::cat(kernels, 0).to(bias.scalar_type()), bias.repeat({static_cast<std::int64_t>(kernels.size())})};
}

at::Tensor UpsampleConv::operator()(const at::Tensor& x) const {
  const std::int64_t frames = x.size(2);
  const std::int64_t height = x.size(3);
  const std::int64_t width = x.size(4);
  const PaddedVideo padded(x, time_ ? 1 : 2, 1);
  // (N, phases * C, T, H + 1 or H, W + 1 or W)
  const at::Tensor y = conv_(padded.whole());
  const std::int64_t in_space = space_ ? 2 : 1;
  at::Tensor out =
      at::empty({x.size(0), channels_, time_ ? 2 * frames - 1 : frames, in_space * height, in_space * width},
                x.options().memory_format(at::MemoryFormat::ChannelsLast3d));
  std::int64_t phase = 0;
  for (std::int64_t pt = 0; pt < (time_ ? 2 : 1); ++pt) {
    for (std::int64_t ph = 0; ph < in_space; ++ph) {
      for (std::int64_t pw = 0; pw < in_space; ++pw, ++phase) {
        at::Tensor from = y.narrow(1, phase * channels_, channels_);
        at::Tensor to = out;
        if (space_) {
          // The odd phase reads one pixel further: its first window is the second one of the joint convolution.
          from = from.narrow(3, ph, height).narrow(4, pw, width);
          to = to.slice(3, ph, to.size(3), 2).slice(4, pw, to.size(4), 2);
        }
        if (time_ && pt == 0) {
          // First copies: frames 1, 3, 5, ...; frame 0 has none.
          if (frames == 1) continue;
          from = from.narrow(2, 1, frames - 1);
          to = to.slice(2, 1, to.size(2), 2);
        } else if (time_) {
          to = to.slice(2, 0, to.size(2), 2);
        }
        to.copy_(from);
      }
    }
  }
  return out;
}

}  // namespace reelfarm::vae

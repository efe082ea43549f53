#include "pipeline/vae/upsample.hpp"

#include <vector>

#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/vae/causal_padding.hpp"
#include "pipeline/vae/phase_interleave.hpp"

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
  // A doubled frame reads itself and the one before; T and the kernel's three taps otherwise.
  const PaddedVideo padded(x, time_ ? 1 : 2, 1);
  return interleave_phases(conv_.before_bias(padded.whole()), channels_, time_, space_, conv_.left_out());
}

}  // namespace reelfarm::vae

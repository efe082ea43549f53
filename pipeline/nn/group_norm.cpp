#include "pipeline/nn/group_norm.hpp"

#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "pipeline/nn/cuda_kernels.hpp"
#include "pipeline/nn/detail/frame_chunks.hpp"
#include "pipeline/nn/detail/group_norm_cpu.hpp"
#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/nn/video_kernels.hpp"

namespace reelfarm::nn {

GroupNorm::GroupNorm(const ParameterReader& reader, std::int64_t groups, std::int64_t channels, double eps)
    : weight_(reader.tensor("weight", {channels}, at::kFloat)),
      bias_(reader.tensor("bias", {channels}, at::kFloat)),
      groups_(groups),
      eps_(eps) {
  if (groups <= 0 || channels % groups != 0) {
    throw std::invalid_argument(reader.full_name("weight") + ": " + std::to_string(channels) +
                                " channels cannot be split into " + std::to_string(groups) + " groups");
  }
}

// norm(x + offset) = x * scale + shift, both (N, C, 1, 1, 1) fp32. ATen's own group norm turns channels-last tensors on
// a GPU into another order and back, and rounds once more.
GroupNorm::Affine GroupNorm::affine(const at::Tensor& x, const at::Tensor& offset) const {
  const std::int64_t samples = x.size(0);
  const std::int64_t channels = x.size(1);
  const double voxels = static_cast<double>(x.numel()) / static_cast<double>(samples * channels);
  const std::vector<std::int64_t> positions = {2, 3, 4};
  at::Tensor mean;
  at::Tensor variance;
  if (x.scalar_type() == at::kFloat) {
    std::tie(variance, mean) = at::var_mean(x, positions, /*correction=*/0);
  } else {
    // Sums in fp32 without storing x in fp32; var_mean would round its results to 16 bits.
    mean = at::sum(x, positions, false, at::kFloat).div_(voxels);
    variance = at::linalg_vector_norm(x, 2, positions, false, at::kFloat).square_().div_(voxels).sub_(mean.square());
  }
  const std::vector<std::int64_t> grouped = {samples, groups_, channels / groups_};
  if (offset.defined()) mean = mean + offset.view({1, channels});
  mean = mean.view(grouped);
  const at::Tensor mean_of_group = mean.mean(-1, /*keepdim=*/true);
  const at::Tensor variance_of_group =
      (variance.view(grouped) + (mean - mean_of_group).square_()).mean(-1, /*keepdim=*/true);
  const at::Tensor inverse = variance_of_group.clamp_min(0.0).add_(eps_).rsqrt_();
  const at::Tensor scale = weight_.view({1, groups_, channels / groups_}) * inverse;
  at::Tensor shift = bias_.view({1, groups_, channels / groups_}) - mean_of_group * scale;
  if (offset.defined()) shift = shift + offset.view({1, groups_, channels / groups_}) * scale;
  return {scale.view({samples, channels, 1, 1, 1}), shift.view({samples, channels, 1, 1, 1})};
}

at::Tensor GroupNorm::operator()(const at::Tensor& x) const {
  const Affine terms = affine(x, {});
  return at::addcmul(terms.shift, x, terms.scale).to(x.scalar_type());
}

bool GroupNorm::silu_into_padded(const at::Tensor& x, const at::Tensor& padded, std::int64_t time, std::int64_t space,
                                 const at::Tensor& offset) const {
  if (!plugin_takes_video(x) || !plugin_takes_video(padded) || x.size(1) > cuda::kMaxNormChannels) return false;
  const std::int64_t channels = x.size(1);
  const auto wide = x.options().dtype(at::kFloat).memory_format(at::MemoryFormat::Contiguous);
  const at::Tensor scale = at::empty({channels}, wide);
  const at::Tensor shift = at::empty({channels}, wide);
  const at::Tensor partial = at::empty({cuda::kMomentBlocks, 2, channels}, wide);
  launch_cuda_kernel(cuda_kernels()->group_affine,
                     {.x = x.const_data_ptr(),
                      .weight = weight_.const_data_ptr<float>(),
                      .bias = bias_.const_data_ptr<float>(),
                      .offset = offset.defined() ? offset.const_data_ptr<float>() : nullptr,
                      .partial = partial.mutable_data_ptr<float>(),
                      .scale = scale.mutable_data_ptr<float>(),
                      .shift = shift.mutable_data_ptr<float>(),
                      .voxels = x.numel() / channels,
                      .channels = channels,
                      .groups = groups_,
                      .eps = static_cast<float>(eps_)},
                     x);
  launch_pad_video(x, scale, shift, padded, time, space);
  return true;
}

void GroupNorm::silu_into(const at::Tensor& x, const at::Tensor& out, const at::Tensor& offset) const {
  if (!offset.defined() && detail::group_norm_silu_fits(x, out)) {
    detail::group_norm_silu(x, out, weight_, bias_, groups_, eps_);
    return;
  }
  const Affine terms = affine(x, offset);
  detail::for_some_frames(x, [&](std::int64_t first, std::int64_t count) {
    at::Tensor y = at::addcmul(terms.shift, x.narrow(2, first, count), terms.scale);
    out.narrow(2, first, count).copy_(at::silu_(y));
  });
}

}  // namespace reelfarm::nn

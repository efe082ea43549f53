#include "pipeline/nn/video_kernels.hpp"

#include "pipeline/nn/cuda_kernels.hpp"

namespace reelfarm::nn {
namespace {

cuda::VideoShape shape_of(const at::Tensor& video) {
  return {.frames = video.size(2), .rows = video.size(3), .columns = video.size(4), .channels = video.size(1)};
}

}  // namespace

bool plugin_takes_video(const at::Tensor& video) {
  return cuda_kernels() != nullptr && video.is_cuda() && video.scalar_type() == at::kBFloat16 && video.dim() == 5 &&
         video.size(0) == 1 && video.size(1) % cuda::kJoinUnit == 0 && video.numel() > 0 &&
         video.is_contiguous(at::MemoryFormat::ChannelsLast3d) &&
         reinterpret_cast<std::uintptr_t>(video.const_data_ptr()) % 16 == 0;
}

void launch_pad_video(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift, const at::Tensor& padded,
                      std::int64_t time, std::int64_t space) {
  launch_cuda_kernel(cuda_kernels()->pad_video,
                     {.x = x.const_data_ptr(),
                      .scale = scale.defined() ? scale.const_data_ptr<float>() : nullptr,
                      .shift = scale.defined() ? shift.const_data_ptr<float>() : nullptr,
                      .out = padded.mutable_data_ptr(),
                      .shape = shape_of(x),
                      .time = time,
                      .space = space},
                     x);
}

void launch_biased_add(const at::Tensor& y, const at::Tensor& x, const at::Tensor& bias) {
  launch_cuda_kernel(cuda_kernels()->biased_add,
                     {.y = y.mutable_data_ptr(),
                      .x = x.const_data_ptr(),
                      .bias = bias.const_data_ptr<float>(),
                      .voxels = y.numel() / y.size(1),
                      .channels = y.size(1)},
                     y);
}

void launch_interleave_phases(const at::Tensor& phases, const at::Tensor& bias, const at::Tensor& out, bool time,
                              bool space) {
  launch_cuda_kernel(cuda_kernels()->interleave_phases,
                     {.phases = phases.const_data_ptr(),
                      .bias = bias.defined() ? bias.const_data_ptr<float>() : nullptr,
                      .out = out.mutable_data_ptr(),
                      .shape = shape_of(out),
                      .time = time,
                      .space = space},
                     phases);
}

}  // namespace reelfarm::nn

#include "pipeline/nn/add.hpp"

#include <ATen/Parallel.h>

#include "pipeline/nn/cuda_kernels.hpp"
#include "pipeline/nn/detail/add_rows.hpp"
#include "pipeline/nn/detail/frame_chunks.hpp"
#include "pipeline/nn/video_kernels.hpp"

namespace reelfarm::nn {

constexpr std::int64_t kGrain = 32768;

void add_(const at::Tensor& y, const at::Tensor& x) {
  const bool dense = y.is_non_overlapping_and_dense() && y.strides() == x.strides() && y.sizes() == x.sizes();
  if (!y.is_cpu() || !x.is_cpu() || !dense || y.scalar_type() != at::kBFloat16 || x.scalar_type() != at::kBFloat16) {
    y.add_(x);
    return;
  }
  auto* sum = static_cast<std::uint16_t*>(y.mutable_data_ptr());
  const auto* term = static_cast<const std::uint16_t*>(x.const_data_ptr());
  at::parallel_for(0, y.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    detail::add_row(sum + begin, term + begin, end - begin);
  });
}

void add_gated_(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate) {
  const auto fits = [&](const at::Tensor& tensor) {
    return tensor.scalar_type() == at::kBFloat16 && tensor.is_contiguous() &&
           reinterpret_cast<std::uintptr_t>(tensor.const_data_ptr()) % 16 == 0;
  };
  if (x.is_cuda() && cuda_kernels() != nullptr && x.size(1) % cuda::kJoinUnit == 0 && fits(x) && fits(y) &&
      fits(gate)) {
    launch_cuda_kernel(cuda_kernels()->gated_add,
                       {.x = x.mutable_data_ptr(),
                        .y = y.const_data_ptr(),
                        .gate = gate.const_data_ptr(),
                        .rows = x.size(0),
                        .features = x.size(1)},
                       x);
    return;
  }
  x.addcmul_(y, gate);
}

void add_(const at::Tensor& y, const at::Tensor& x, const at::Tensor& bias) {
  if (!bias.defined()) {
    add_(y, x);
    return;
  }
  if (plugin_takes_video(y) && plugin_takes_video(x)) {
    launch_biased_add(y, x, bias);
    return;
  }
  detail::for_some_frames(y, [&](std::int64_t first, std::int64_t count) {
    y.narrow(2, first, count).add_(at::add(x.narrow(2, first, count), bias));
  });
}

}  // namespace reelfarm::nn

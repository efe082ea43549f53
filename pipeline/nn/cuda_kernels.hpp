#pragma once

#include <cstdint>
#include <functional>
#include <type_traits>

#include <ATen/core/Tensor.h>

#include "pipeline/nn/cuda/kernel_table.hpp"

namespace reelfarm::nn {

/// The plug-in's kernels, or nullptr while load_cuda_backend() has not found it; callers then use LibTorch's operators.
const cuda::KernelTable* cuda_kernels();

/// Takes the table out of an opened plug-in. Throws std::runtime_error when it is of another version than this program.
void adopt_cuda_kernels(void* library, const char* path);

namespace detail {
void launch_kernel(const std::function<int(void* stream)>& kernel, const at::Tensor& tensor);
}  // namespace detail

/// Runs one entry of the table on the current stream of `tensor`'s device. Throws std::runtime_error with CUDA's words.
template <typename Arguments>
void launch_cuda_kernel(int (*kernel)(const Arguments*, void*), const std::type_identity_t<Arguments>& arguments,
                        const at::Tensor& tensor) {
  detail::launch_kernel([&](void* stream) { return kernel(&arguments, stream); }, tensor);
}

/// The same for an entry that writes to what it is given.
template <typename Arguments>
void launch_cuda_kernel(int (*kernel)(Arguments*, void*), Arguments* arguments, const at::Tensor& tensor) {
  detail::launch_kernel([&](void* stream) { return kernel(arguments, stream); }, tensor);
}

/// Bytes that launch_fp8_attention needs for this shape; -1 where the plug-in, or cuDNN, has no kernel for it on the
/// device of `tensor`.
std::int64_t fp8_attention_workspace(const cuda::Fp8Attention& shape, const at::Tensor& tensor);
/// Throws std::runtime_error with cuDNN's words.
void launch_fp8_attention(const cuda::Fp8Attention& arguments, const at::Tensor& tensor);

}  // namespace reelfarm::nn

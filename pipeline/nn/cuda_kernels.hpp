#pragma once

#include <ATen/core/Tensor.h>

#include "pipeline/nn/cuda/kernel_table.hpp"

namespace reelfarm::nn {

/// The plug-in's kernels, or nullptr while load_cuda_backend() has not found it; callers then use LibTorch's operators.
const cuda::KernelTable* cuda_kernels();

/// Takes the table out of an opened plug-in. Throws std::runtime_error when it is of another version than this program.
void adopt_cuda_kernels(void* library, const char* path);

/// Runs one entry of the table on the current stream of `tensor`'s device. Throws std::runtime_error with CUDA's words.
template <typename Arguments>
void launch_cuda_kernel(int (*kernel)(const Arguments*, void*), const Arguments& arguments, const at::Tensor& tensor);

extern template void launch_cuda_kernel(int (*)(const cuda::NormRotate*, void*), const cuda::NormRotate&,
                                        const at::Tensor&);
extern template void launch_cuda_kernel(int (*)(const cuda::ModulatedLayerNorm*, void*),
                                        const cuda::ModulatedLayerNorm&, const at::Tensor&);

}  // namespace reelfarm::nn

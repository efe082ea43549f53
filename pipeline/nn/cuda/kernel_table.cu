#include "pipeline/nn/cuda/kernel_table.hpp"

#include <cuda_runtime.h>

#include "pipeline/nn/cuda/launchers.hpp"

namespace reelfarm::nn::cuda {
namespace {

const char* error_text(int error) {
  return cudaGetErrorString(static_cast<cudaError_t>(error));
}

constexpr KernelTable kTable{kKernelTableVersion, &error_text, &norm_rotate, &modulated_layer_norm};

}  // namespace
}  // namespace reelfarm::nn::cuda

extern "C" __attribute__((visibility("default"))) const reelfarm::nn::cuda::KernelTable* reelfarm_cuda_kernel_table() {
  return &reelfarm::nn::cuda::kTable;
}

#include "pipeline/nn/cuda/kernel_table.hpp"

#include <cuda_runtime.h>

#include "pipeline/nn/cuda/launchers.hpp"

namespace reelfarm::nn::cuda {
namespace {

const char* error_text(int error) {
  return cudaGetErrorString(static_cast<cudaError_t>(error));
}

constexpr KernelTable kTable{
    kKernelTableVersion,
    &error_text,
    &norm_rotate,
    &modulated_layer_norm,
    &join_rows,
    &gated_add,
    &scale_sums,
    &absmax_tokens,
    &quantise_tokens,
    &attention_scales,
    &group_affine,
    &pad_video,
    &biased_add,
    &interleave_phases,
#ifdef REELFARM_CUDNN
    &fp8_attention_workspace,
    &fp8_attention,
    &fp8_attention_error,
#else
    nullptr,
    nullptr,
    nullptr,
#endif
};

}  // namespace
}  // namespace reelfarm::nn::cuda

extern "C" __attribute__((visibility("default"))) const reelfarm::nn::cuda::KernelTable* reelfarm_cuda_kernel_table() {
  return &reelfarm::nn::cuda::kTable;
}

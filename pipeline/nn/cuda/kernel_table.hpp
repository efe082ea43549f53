#pragma once

#include <cstdint>

// The border between programs and the CUDA plug-in: C calls and plain structs, so that neither side's compiler or C++
// library version matters. Both sides include this file; neither CUDA's nor LibTorch's headers are needed for it.

namespace reelfarm::nn::cuda {

/// Raised at every change of a struct below.
constexpr std::uint32_t kKernelTableVersion = 1;

/// The one symbol that the plug-in exports: `const KernelTable* reelfarm_cuda_kernel_table()`.
constexpr const char* kKernelTableSymbol = "reelfarm_cuda_kernel_table";

enum class Element : std::int32_t { f32 = 0, bf16 = 1 };

/// x: (tokens, heads, head_dim), heads dense, tokens `token_stride` elements apart; in place. weight: (head_dim) of the
/// same element. cos, sin: (tokens, head_dim / 2) or null. head_dim is even and at most kMaxHeadDim.
struct NormRotate {
  void* x;
  const void* weight;
  const float* cos;
  const float* sin;
  std::int64_t tokens;
  std::int64_t heads;
  std::int64_t head_dim;
  std::int64_t token_stride;
  float eps;
  Element element;
};
constexpr std::int64_t kMaxHeadDim = 512;

/// out = (x - mean) / sqrt(variance + eps) * scale + shift over rows of `features`, all dense, of one element and
/// aligned to two of them. features is even and at most kMaxFeatures.
struct ModulatedLayerNorm {
  const void* x;
  void* out;
  const void* scale;
  const void* shift;
  std::int64_t rows;
  std::int64_t features;
  float eps;
  Element element;
};
constexpr std::int64_t kMaxFeatures = 8192;

/// Each call queues its kernel on `stream` (a cudaStream_t of the current device) and gives 0 or a cudaError_t.
struct KernelTable {
  std::uint32_t version;
  const char* (*error_text)(int error);
  int (*norm_rotate)(const NormRotate* arguments, void* stream);
  int (*modulated_layer_norm)(const ModulatedLayerNorm* arguments, void* stream);
};

}  // namespace reelfarm::nn::cuda

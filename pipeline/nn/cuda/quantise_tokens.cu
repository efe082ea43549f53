#include <algorithm>

#include <cuda_runtime.h>

#include "pipeline/nn/cuda/eight_bit.cuh"
#include "pipeline/nn/cuda/launchers.hpp"

namespace reelfarm::nn::cuda {
namespace {

constexpr int kThreads = 256;
constexpr unsigned kBlocks = 2048;  // of a kernel whose threads take one vector after another

__device__ Eight centred(const Tokens& a, std::int64_t vector, unsigned row_vectors) {
  Eight x = load_bf16(a.x, vector);
  if (a.mean == nullptr) return x;
  const auto* mean = reinterpret_cast<const float2*>(a.mean) + vector % row_vectors * 4;
#pragma unroll
  for (int i = 0; i < 4; ++i) x.pair[i] = make_float2(x.pair[i].x - mean[i].x, x.pair[i].y - mean[i].y);
  return x;
}

__global__ void __launch_bounds__(kThreads) absmax_kernel(Tokens a, std::int64_t vectors, unsigned row_vectors) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * kThreads;
  float largest = 0;
  for (std::int64_t vector = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; vector < vectors;
       vector += stride) {
    largest = larger(largest, absmax(centred(a, vector, row_vectors)));
  }
  largest = block_max<kThreads>(largest);
  // Floats that are not negative order as their bits do; a maximum does not depend on the order it is taken in.
  if (threadIdx.x == 0) atomicMax(reinterpret_cast<int*>(a.number), __float_as_int(largest));
}

__global__ void __launch_bounds__(kThreads) quantise_kernel(Tokens a, std::int64_t vectors, unsigned row_vectors) {
  const std::int64_t vector = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (vector >= vectors) return;
  store_eight_bits(a.out, vector, centred(a, vector, row_vectors), 1.0F / *a.number, Element::e4m3);
}

__global__ void attention_scales_kernel(AttentionScales* scales) {
  // Numerators of a softmax are at most 1. A power of two, so that nothing is rounded, with room to the largest value.
  constexpr float kScaleS = 256.0F;
  scales->descale_q = row_scale(scales->descale_q, Element::e4m3);
  scales->descale_k = row_scale(scales->descale_k, Element::e4m3);
  scales->descale_v = row_scale(scales->descale_v, Element::e4m3);
  scales->descale_s = 1.0F / kScaleS;
  scales->scale_s = kScaleS;
  // The output is a mean of values: what holds v holds it.
  scales->scale_o = 1.0F / scales->descale_v;
  scales->amax_s = 0;
  scales->amax_o = 0;
}

}  // namespace

int absmax_tokens(const Tokens* arguments, void* stream) {
  const Tokens& a = *arguments;
  if (a.tokens == 0) return cudaSuccess;
  if (a.features % kJoinUnit != 0) return cudaErrorInvalidValue;
  const std::int64_t vectors = a.tokens * a.features / kJoinUnit;
  const auto blocks = std::min(kBlocks, static_cast<unsigned>((vectors + kThreads - 1) / kThreads));
  absmax_kernel<<<blocks, kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
      a, vectors, static_cast<unsigned>(a.features / kJoinUnit));
  return cudaGetLastError();
}

int quantise_tokens(const Tokens* arguments, void* stream) {
  const Tokens& a = *arguments;
  if (a.tokens == 0) return cudaSuccess;
  if (a.features % kJoinUnit != 0) return cudaErrorInvalidValue;
  const std::int64_t vectors = a.tokens * a.features / kJoinUnit;
  quantise_kernel<<<static_cast<unsigned>((vectors + kThreads - 1) / kThreads), kThreads, 0,
                    static_cast<cudaStream_t>(stream)>>>(a, vectors, static_cast<unsigned>(a.features / kJoinUnit));
  return cudaGetLastError();
}

int attention_scales(AttentionScales* scales, void* stream) {
  attention_scales_kernel<<<1, 1, 0, static_cast<cudaStream_t>(stream)>>>(scales);
  return cudaGetLastError();
}

}  // namespace reelfarm::nn::cuda

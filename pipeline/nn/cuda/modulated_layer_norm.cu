#include <cuda_runtime.h>

#include "pipeline/nn/cuda/eight_bit.cuh"
#include "pipeline/nn/cuda/element.cuh"
#include "pipeline/nn/cuda/launchers.hpp"

namespace reelfarm::nn::cuda {
namespace {

constexpr int kThreads = 256;

/// Sum over the block, in every thread. `shared` holds one float per warp.
__device__ float block_sum(float value, float* shared) {
  value = warp_sum(value);
  __syncthreads();  // the last sum may still be read
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = value;
  __syncthreads();
  float sum = 0;
  for (int warp = 0; warp < kThreads / 32; ++warp) sum += shared[warp];
  return sum;
}

/// One block per row; the row stays in registers between the passes. kPairs: pairs per thread, features <= 512 kPairs.
template <typename T, int kPairs, bool kQuantise>
__global__ void __launch_bounds__(kThreads) modulated_layer_norm_kernel(ModulatedLayerNorm a) {
  __shared__ float shared[kThreads / 32];
  const int pairs = static_cast<int>(a.features / 2);
  const std::int64_t row = blockIdx.x;
  const auto* in = static_cast<const Pair<T>*>(a.x) + row * pairs;
  const auto* scales = static_cast<const Pair<T>*>(a.scale);
  const auto* shifts = static_cast<const Pair<T>*>(a.shift);
  const float inverse_count = 1.0F / static_cast<float>(a.features);

  float2 x[kPairs];
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kPairs; ++i) {
    const int pair = static_cast<int>(threadIdx.x) + i * kThreads;
    x[i] = pair < pairs ? widen(in[pair]) : make_float2(0, 0);
    sum += x[i].x + x[i].y;
  }
  const float mean = block_sum(sum, shared) * inverse_count;
  float squares = 0;
#pragma unroll
  for (int i = 0; i < kPairs; ++i) {
    const int pair = static_cast<int>(threadIdx.x) + i * kThreads;
    if (pair >= pairs) continue;
    x[i] = make_float2(x[i].x - mean, x[i].y - mean);
    squares += x[i].x * x[i].x + x[i].y * x[i].y;
  }
  const float inverse_deviation = rsqrtf(block_sum(squares, shared) * inverse_count + a.eps);
  float largest = 0;
#pragma unroll
  for (int i = 0; i < kPairs; ++i) {
    const int pair = static_cast<int>(threadIdx.x) + i * kThreads;
    if (pair >= pairs) continue;
    const float2 scale = widen(scales[pair]);
    const float2 shift = widen(shifts[pair]);
    x[i] = make_float2(x[i].x * inverse_deviation * scale.x + shift.x, x[i].y * inverse_deviation * scale.y + shift.y);
    if constexpr (kQuantise) {
      largest = larger(largest, absmax(x[i]));
    } else {
      static_cast<Pair<T>*>(a.out)[row * pairs + pair] = narrow<T>(x[i]);
    }
  }
  if constexpr (kQuantise) {
    const float row_divisor = row_scale(block_max<kThreads>(largest), a.eight_bits);
    if (threadIdx.x == 0) a.row_scales[row] = row_divisor;
    auto* out = static_cast<unsigned short*>(a.out) + row * pairs;
#pragma unroll
    for (int i = 0; i < kPairs; ++i) {
      const int pair = static_cast<int>(threadIdx.x) + i * kThreads;
      if (pair < pairs) out[pair] = to_eight_bits(x[i], 1.0F / row_divisor, a.eight_bits);
    }
  }
}

template <typename T, int kPairs>
void launch(const ModulatedLayerNorm& a, cudaStream_t stream) {
  const auto blocks = static_cast<unsigned>(a.rows);
  if (a.row_scales != nullptr) {
    modulated_layer_norm_kernel<T, kPairs, true><<<blocks, kThreads, 0, stream>>>(a);
  } else {
    modulated_layer_norm_kernel<T, kPairs, false><<<blocks, kThreads, 0, stream>>>(a);
  }
}

template <typename T>
int launch_for_width(const ModulatedLayerNorm& a, cudaStream_t stream) {
  if (a.features <= 1024) {
    launch<T, 2>(a, stream);
  } else if (a.features <= 3072) {
    launch<T, 6>(a, stream);
  } else {
    launch<T, 16>(a, stream);
  }
  return cudaGetLastError();
}

}  // namespace

int modulated_layer_norm(const ModulatedLayerNorm* arguments, void* stream) {
  const ModulatedLayerNorm& a = *arguments;
  if (a.rows == 0) return cudaSuccess;
  if (a.features % 2 != 0 || a.features > kMaxFeatures) return cudaErrorInvalidValue;
  return a.element == Element::bf16 ? launch_for_width<__nv_bfloat16>(a, static_cast<cudaStream_t>(stream))
                                    : launch_for_width<float>(a, static_cast<cudaStream_t>(stream));
}

}  // namespace reelfarm::nn::cuda

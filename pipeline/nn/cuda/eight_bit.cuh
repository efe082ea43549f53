#pragma once

#include <cstdint>

#include <cuda_fp8.h>

#include "pipeline/nn/cuda/eight.cuh"

namespace reelfarm::nn::cuda {

/// The largest magnitude of e4m3.
constexpr float kLargestE4m3 = 448.0F;

/// Eight values of e4m3 lie in 8 bytes.
__device__ inline Eight load_e4m3(const void* x, std::int64_t vector, float scale) {
  const uint2 bits = static_cast<const uint2*>(x)[vector];
  const auto* pairs = reinterpret_cast<const __nv_fp8x2_storage_t*>(&bits);
  Eight eight;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float2 value = __half22float2(__nv_cvt_fp8x2_to_halfraw2(pairs[i], __NV_E4M3));
    eight.pair[i] = make_float2(value.x * scale, value.y * scale);
  }
  return eight;
}

__device__ inline __nv_fp8x2_storage_t to_e4m3(float2 pair, float factor) {
  return __nv_cvt_float2_to_fp8x2(make_float2(pair.x * factor, pair.y * factor), __NV_SATFINITE, __NV_E4M3);
}

__device__ inline void store_e4m3(void* x, std::int64_t vector, const Eight& eight, float factor) {
  uint2 bits;
  auto* pairs = reinterpret_cast<__nv_fp8x2_storage_t*>(&bits);
#pragma unroll
  for (int i = 0; i < 4; ++i) pairs[i] = to_e4m3(eight.pair[i], factor);
  static_cast<uint2*>(x)[vector] = bits;
}

__device__ inline float absmax(float2 pair) {
  return fmaxf(fabsf(pair.x), fabsf(pair.y));
}

__device__ inline float absmax(const Eight& eight) {
  return fmaxf(fmaxf(absmax(eight.pair[0]), absmax(eight.pair[1])),
               fmaxf(absmax(eight.pair[2]), absmax(eight.pair[3])));
}

/// Largest value of the block's kThreads threads, in all of them. Called once a kernel. Values are not negative.
template <int kThreads>
__device__ float block_max(float value) {
  __shared__ float of_warp[kThreads / 32];
  for (int offset = 16; offset > 0; offset /= 2) value = fmaxf(value, __shfl_xor_sync(0xffffffffU, value, offset));
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = value;
  __syncthreads();
  for (const float other : of_warp) value = fmaxf(value, other);
  return value;
}

/// What a row of this largest magnitude is divided by. An empty row keeps its zeros.
__device__ inline float row_scale(float largest) {
  return largest > 0 ? largest / kLargestE4m3 : 1.0F;
}

}  // namespace reelfarm::nn::cuda

#pragma once

#include <cstdint>

#include <cuda_fp8.h>

#include "pipeline/nn/cuda/eight.cuh"
#include "pipeline/nn/cuda/kernel_table.hpp"

namespace reelfarm::nn::cuda {

/// The largest magnitudes of e4m3, and of the integers that are used.
constexpr float kLargestE4m3 = 448.0F;
constexpr float kLargestInt8 = 127.0F;

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

/// Magnitudes of at most 127 and a little, as a row's scale leaves them. NaN becomes 0; the scale tells of it.
__device__ inline unsigned char to_int8(float value, float factor) {
  const int rounded = __float2int_rn(value * factor);
  return static_cast<unsigned char>(max(-127, min(127, rounded)));
}

/// Two values in 8 bits of a kind, the first in the low byte.
__device__ inline unsigned short to_eight_bits(float2 pair, float factor, Element kind) {
  if (kind == Element::e4m3) return to_e4m3(pair, factor);
  return static_cast<unsigned short>(to_int8(pair.x, factor) | to_int8(pair.y, factor) << 8);
}

__device__ inline void store_eight_bits(void* x, std::int64_t vector, const Eight& eight, float factor, Element kind) {
  uint2 bits;
  auto* pairs = reinterpret_cast<unsigned short*>(&bits);
#pragma unroll
  for (int i = 0; i < 4; ++i) pairs[i] = to_eight_bits(eight.pair[i], factor, kind);
  static_cast<uint2*>(x)[vector] = bits;
}

/// Of values that are not negative. They order as their bits do, NaN above all others, so that none is lost.
__device__ inline float larger(float a, float b) {
  return __uint_as_float(max(__float_as_uint(a), __float_as_uint(b)));
}

__device__ inline float absmax(float2 pair) {
  return larger(fabsf(pair.x), fabsf(pair.y));
}

__device__ inline float absmax(const Eight& eight) {
  return larger(larger(absmax(eight.pair[0]), absmax(eight.pair[1])),
                larger(absmax(eight.pair[2]), absmax(eight.pair[3])));
}

/// Largest value of the block's kThreads threads, in all of them. Called once a kernel. Values are not negative.
template <int kThreads>
__device__ float block_max(float value) {
  __shared__ float of_warp[kThreads / 32];
  for (int offset = 16; offset > 0; offset /= 2) value = larger(value, __shfl_xor_sync(0xffffffffU, value, offset));
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = value;
  __syncthreads();
  for (const float other : of_warp) value = larger(value, other);
  return value;
}

/// What a row of this largest magnitude is divided by. A row of zeros keeps them.
__device__ inline float row_scale(float largest, Element kind) {
  return largest == 0 ? 1.0F : largest / (kind == Element::e4m3 ? kLargestE4m3 : kLargestInt8);
}

}  // namespace reelfarm::nn::cuda

#pragma once

#include <cstdint>

#include <cuda_bf16.h>

namespace reelfarm::nn::cuda {

/// Two neighbouring elements, loaded and stored in one access.
template <typename T>
struct PairOf;
template <>
struct PairOf<float> {
  using type = float2;
};
template <>
struct PairOf<__nv_bfloat16> {
  using type = __nv_bfloat162;
};
template <typename T>
using Pair = typename PairOf<T>::type;

__device__ inline float2 widen(float2 pair) {
  return pair;
}
__device__ inline float2 widen(__nv_bfloat162 pair) {
  return __bfloat1622float2(pair);
}

template <typename T>
__device__ Pair<T> narrow(float2 pair);
template <>
__device__ inline float2 narrow<float>(float2 pair) {
  return pair;
}
template <>
__device__ inline __nv_bfloat162 narrow<__nv_bfloat16>(float2 pair) {
  return __float22bfloat162_rn(pair);
}

/// Sum over the 32 lanes of a warp, in every lane.
__device__ inline float warp_sum(float value) {
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(0xffffffffU, value, offset);
  return value;
}

}  // namespace reelfarm::nn::cuda

#pragma once

#include <cstdint>

#include <cuda_bf16.h>

namespace reelfarm::nn::cuda {

/// Eight neighbouring values in registers: 16 bytes of bf16, one access.
struct alignas(16) Eight {
  float2 pair[4];
};

__device__ inline Eight load_bf16(const void* x, std::int64_t vector) {
  const uint4 bits = static_cast<const uint4*>(x)[vector];
  const auto* pairs = reinterpret_cast<const __nv_bfloat162*>(&bits);
  Eight eight;
#pragma unroll
  for (int i = 0; i < 4; ++i) eight.pair[i] = __bfloat1622float2(pairs[i]);
  return eight;
}

__device__ inline void store_bf16(void* x, std::int64_t vector, const Eight& eight) {
  uint4 bits;
  auto* pairs = reinterpret_cast<__nv_bfloat162*>(&bits);
#pragma unroll
  for (int i = 0; i < 4; ++i) pairs[i] = __float22bfloat162_rn(eight.pair[i]);
  static_cast<uint4*>(x)[vector] = bits;
}

}  // namespace reelfarm::nn::cuda

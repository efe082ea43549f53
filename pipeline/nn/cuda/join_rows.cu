#include <cuda_runtime.h>

#include "pipeline/nn/cuda/eight_bit.cuh"
#include "pipeline/nn/cuda/launchers.hpp"

namespace reelfarm::nn::cuda {
namespace {

/// x / (1 + exp(-2 sqrt(2 / pi) (x + 0.044715 x^3))), as nn::gelu_tanh_.
__device__ float gelu_tanh(float x) {
  constexpr float kTwice = 2.0F * 0.7978845608F;
  return __fdividef(x, 1.0F + __expf(-kTwice * (x + 0.044715F * x * x * x)));
}

__device__ Eight gelu_tanh(Eight eight) {
#pragma unroll
  for (float2& pair : eight.pair) pair = make_float2(gelu_tanh(pair.x), gelu_tanh(pair.y));
  return eight;
}

/// One block per row, which stays in registers between its largest magnitude and its division. kVectors per thread.
template <int kThreads, int kVectors>
__global__ void __launch_bounds__(kThreads) join_rows_kernel(JoinRows a) {
  const int left_vectors = static_cast<int>(a.left_features / kJoinUnit);
  const int vectors = left_vectors + static_cast<int>(a.right_features / kJoinUnit);
  const std::int64_t row = blockIdx.x;
  const std::int64_t left = row * a.left_stride / kJoinUnit;
  const std::int64_t right = row * a.right_stride / kJoinUnit;
  const std::int64_t out = row * a.out_stride / kJoinUnit;
  Eight y[kVectors];
  float largest = 0;
#pragma unroll
  for (int i = 0; i < kVectors; ++i) {
    const int vector = static_cast<int>(threadIdx.x) + i * kThreads;
    if (vector >= vectors) continue;
    if (vector < left_vectors) {
      y[i] = a.left_element == Element::e4m3 ? load_e4m3(a.left, left + vector, a.left_scales[row])
                                             : load_bf16(a.left, left + vector);
    } else {
      y[i] = load_bf16(a.right, right + vector - left_vectors);
      if (a.gelu) y[i] = gelu_tanh(y[i]);
    }
    largest = larger(largest, absmax(y[i]));
  }
  float factor = 1;
  if (a.row_scales != nullptr) {
    const float scale = row_scale(block_max<kThreads>(largest), a.eight_bits);
    if (threadIdx.x == 0) a.row_scales[row] = scale;
    factor = 1.0F / scale;
  }
#pragma unroll
  for (int i = 0; i < kVectors; ++i) {
    const int vector = static_cast<int>(threadIdx.x) + i * kThreads;
    if (vector >= vectors) continue;
    if (a.row_scales != nullptr) {
      store_eight_bits(a.out, out + vector, y[i], factor, a.eight_bits);
    } else {
      store_bf16(a.out, out + vector, y[i]);
    }
  }
}

}  // namespace

int join_rows(const JoinRows* arguments, void* stream) {
  const JoinRows& a = *arguments;
  if (a.rows == 0) return cudaSuccess;
  const std::int64_t features = a.left_features + a.right_features;
  for (const std::int64_t count : {a.left_features, a.right_features, a.left_stride, a.right_stride, a.out_stride}) {
    if (count % kJoinUnit != 0) return cudaErrorInvalidValue;
  }
  const auto blocks = static_cast<unsigned>(a.rows);
  auto* const queue = static_cast<cudaStream_t>(stream);
  if (features <= 1024) {
    join_rows_kernel<128, 1><<<blocks, 128, 0, queue>>>(a);
  } else if (features <= 4096) {
    join_rows_kernel<256, 2><<<blocks, 256, 0, queue>>>(a);
  } else if (features <= kMaxJoined) {
    join_rows_kernel<512, 4><<<blocks, 512, 0, queue>>>(a);
  } else {
    return cudaErrorInvalidValue;
  }
  return cudaGetLastError();
}

}  // namespace reelfarm::nn::cuda

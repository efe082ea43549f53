#include <cuda_runtime.h>

#include "pipeline/nn/cuda/element.cuh"
#include "pipeline/nn/cuda/launchers.hpp"

namespace reelfarm::nn::cuda {
namespace {

constexpr int kWarp = 32;
constexpr int kWarps = 8;

/// One block per token, one warp per head at a time: a lane keeps its angles and weights in registers for all heads.
/// kPairs: neighbouring pairs per lane, so head_dim <= 64 kPairs.
template <typename T, int kPairs, bool kRotate>
__global__ void __launch_bounds__(kWarp* kWarps) norm_rotate_kernel(NormRotate a) {
  const int lane = threadIdx.x % kWarp;
  const int pairs = static_cast<int>(a.head_dim / 2);
  const std::int64_t token = blockIdx.x;
  const auto* weights = static_cast<const Pair<T>*>(a.weight);
  float2 weight[kPairs];
  float cos[kPairs];
  float sin[kPairs];
#pragma unroll
  for (int i = 0; i < kPairs; ++i) {
    const int pair = lane + i * kWarp;
    if (pair >= pairs) continue;
    weight[i] = widen(weights[pair]);
    if constexpr (kRotate) {
      cos[i] = a.cos[token * pairs + pair];
      sin[i] = a.sin[token * pairs + pair];
    }
  }
  for (std::int64_t head = threadIdx.x / kWarp; head < a.heads; head += kWarps) {
    auto* row = reinterpret_cast<Pair<T>*>(static_cast<T*>(a.x) + token * a.token_stride + head * a.head_dim);
    float2 x[kPairs];
    float squares = 0;
#pragma unroll
    for (int i = 0; i < kPairs; ++i) {
      const int pair = lane + i * kWarp;
      x[i] = pair < pairs ? widen(row[pair]) : make_float2(0, 0);
      squares += x[i].x * x[i].x + x[i].y * x[i].y;
    }
    const float scale = rsqrtf(warp_sum(squares) / static_cast<float>(a.head_dim) + a.eps);
#pragma unroll
    for (int i = 0; i < kPairs; ++i) {
      const int pair = lane + i * kWarp;
      if (pair >= pairs) continue;
      const float2 y = make_float2(x[i].x * scale * weight[i].x, x[i].y * scale * weight[i].y);
      if constexpr (kRotate) {
        row[pair] = narrow<T>(make_float2(y.x * cos[i] - y.y * sin[i], y.y * cos[i] + y.x * sin[i]));
      } else {
        row[pair] = narrow<T>(y);
      }
    }
  }
}

template <typename T, int kPairs>
void launch(const NormRotate& a, cudaStream_t stream) {
  const auto blocks = static_cast<unsigned>(a.tokens);
  if (a.cos != nullptr) {
    norm_rotate_kernel<T, kPairs, true><<<blocks, kWarp * kWarps, 0, stream>>>(a);
  } else {
    norm_rotate_kernel<T, kPairs, false><<<blocks, kWarp * kWarps, 0, stream>>>(a);
  }
}

template <typename T>
void launch_for_width(const NormRotate& a, cudaStream_t stream) {
  if (a.head_dim <= 64) return launch<T, 1>(a, stream);
  if (a.head_dim <= 128) return launch<T, 2>(a, stream);
  if (a.head_dim <= 256) return launch<T, 4>(a, stream);
  launch<T, 8>(a, stream);
}

}  // namespace

int norm_rotate(const NormRotate* arguments, void* stream) {
  const NormRotate& a = *arguments;
  if (a.tokens == 0) return cudaSuccess;
  if (a.head_dim % 2 != 0 || a.head_dim > kMaxHeadDim || a.token_stride % 2 != 0) return cudaErrorInvalidValue;
  if (a.element == Element::bf16) {
    launch_for_width<__nv_bfloat16>(a, static_cast<cudaStream_t>(stream));
  } else {
    launch_for_width<float>(a, static_cast<cudaStream_t>(stream));
  }
  return cudaGetLastError();
}

}  // namespace reelfarm::nn::cuda

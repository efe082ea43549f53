#include <cuda_runtime.h>

#include "pipeline/nn/cuda/eight.cuh"
#include "pipeline/nn/cuda/launchers.hpp"

namespace reelfarm::nn::cuda {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads) gated_add_kernel(GatedAdd a, std::int64_t vectors, unsigned row_vectors) {
  const std::int64_t vector = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (vector >= vectors) return;
  Eight x = load_bf16(a.x, vector);
  const Eight y = load_bf16(a.y, vector);
  const Eight gate = load_bf16(a.gate, vector % row_vectors);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    x.pair[i].x += y.pair[i].x * gate.pair[i].x;
    x.pair[i].y += y.pair[i].y * gate.pair[i].y;
  }
  store_bf16(a.x, vector, x);
}

}  // namespace

int gated_add(const GatedAdd* arguments, void* stream) {
  const GatedAdd& a = *arguments;
  if (a.rows == 0) return cudaSuccess;
  if (a.features % kJoinUnit != 0) return cudaErrorInvalidValue;
  const std::int64_t vectors = a.rows * a.features / kJoinUnit;
  gated_add_kernel<<<static_cast<unsigned>((vectors + kThreads - 1) / kThreads), kThreads, 0,
                     static_cast<cudaStream_t>(stream)>>>(a, vectors, static_cast<unsigned>(a.features / kJoinUnit));
  return cudaGetLastError();
}

}  // namespace reelfarm::nn::cuda

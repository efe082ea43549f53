#include <cuda_runtime.h>

#include "pipeline/nn/cuda/eight.cuh"
#include "pipeline/nn/cuda/launchers.hpp"

namespace reelfarm::nn::cuda {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads) biased_add_kernel(BiasedAdd a, std::int64_t vectors, unsigned row_vectors) {
  const std::int64_t vector = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (vector >= vectors) return;
  Eight y = load_bf16(a.y, vector);
  const Eight x = load_bf16(a.x, vector);
  const auto bias = reinterpret_cast<const Eight*>(a.bias)[vector % row_vectors];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    y.pair[i].x += x.pair[i].x + bias.pair[i].x;
    y.pair[i].y += x.pair[i].y + bias.pair[i].y;
  }
  store_bf16(a.y, vector, y);
}

}  // namespace

int biased_add(const BiasedAdd* arguments, void* stream) {
  const BiasedAdd& a = *arguments;
  if (a.voxels == 0) return cudaSuccess;
  if (a.channels % kJoinUnit != 0) return cudaErrorInvalidValue;
  const std::int64_t vectors = a.voxels * a.channels / kJoinUnit;
  biased_add_kernel<<<static_cast<unsigned>((vectors + kThreads - 1) / kThreads), kThreads, 0,
                      static_cast<cudaStream_t>(stream)>>>(a, vectors, static_cast<unsigned>(a.channels / kJoinUnit));
  return cudaGetLastError();
}

}  // namespace reelfarm::nn::cuda

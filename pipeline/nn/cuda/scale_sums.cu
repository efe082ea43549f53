#include <cuda_runtime.h>

#include "pipeline/nn/cuda/eight.cuh"
#include "pipeline/nn/cuda/launchers.hpp"

namespace reelfarm::nn::cuda {
namespace {

constexpr int kThreads = 256;

/// Eight neighbouring sums or scales: two accesses of 16 bytes.
template <typename Four>
struct Fours {
  Four low, high;
};

template <typename Four, typename T>
__device__ Fours<Four> load(const T* x, std::int64_t vector) {
  const auto* fours = reinterpret_cast<const Four*>(x) + 2 * vector;
  return {fours[0], fours[1]};
}

__global__ void __launch_bounds__(kThreads) scale_sums_kernel(ScaleSums a, std::int64_t vectors, unsigned row_vectors) {
  const std::int64_t vector = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (vector >= vectors) return;
  const float row_scale = a.row_scales[vector / row_vectors];
  const auto column = static_cast<std::int64_t>(vector % row_vectors);
  const Fours<int4> sums = load<int4>(a.sums, vector);
  const Fours<float4> scales = load<float4>(a.column_scales, column);
  const Eight bias = load_bf16(a.bias, column);
  const auto scaled = [&](int sum, float scale, float plus) {
    return static_cast<float>(sum) * row_scale * scale + plus;
  };
  Eight y;
  y.pair[0] =
      make_float2(scaled(sums.low.x, scales.low.x, bias.pair[0].x), scaled(sums.low.y, scales.low.y, bias.pair[0].y));
  y.pair[1] =
      make_float2(scaled(sums.low.z, scales.low.z, bias.pair[1].x), scaled(sums.low.w, scales.low.w, bias.pair[1].y));
  y.pair[2] = make_float2(scaled(sums.high.x, scales.high.x, bias.pair[2].x),
                          scaled(sums.high.y, scales.high.y, bias.pair[2].y));
  y.pair[3] = make_float2(scaled(sums.high.z, scales.high.z, bias.pair[3].x),
                          scaled(sums.high.w, scales.high.w, bias.pair[3].y));
  store_bf16(a.out, vector, y);
}

}  // namespace

int scale_sums(const ScaleSums* arguments, void* stream) {
  const ScaleSums& a = *arguments;
  if (a.rows == 0) return cudaSuccess;
  if (a.features % kJoinUnit != 0) return cudaErrorInvalidValue;
  const std::int64_t vectors = a.rows * a.features / kJoinUnit;
  scale_sums_kernel<<<static_cast<unsigned>((vectors + kThreads - 1) / kThreads), kThreads, 0,
                      static_cast<cudaStream_t>(stream)>>>(a, vectors, static_cast<unsigned>(a.features / kJoinUnit));
  return cudaGetLastError();
}

}  // namespace reelfarm::nn::cuda

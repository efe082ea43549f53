#include <cuda_runtime.h>

#include "pipeline/nn/cuda/eight.cuh"
#include "pipeline/nn/cuda/launchers.hpp"

namespace reelfarm::nn::cuda {
namespace {

constexpr int kThreads = 256;

__device__ float silu(float x) {
  return __fdividef(x, 1.0F + __expf(-x));
}

__device__ int clamped(int position, int size) {
  return min(max(position, 0), size - 1);
}

constexpr int kColumnsPerThread = 8;

/// Threads that share a column of eight channels each.
__host__ __device__ int threads_of_column(std::int64_t channels) {
  const auto vectors = static_cast<int>(channels / kJoinUnit);
  return vectors < kThreads ? vectors : kThreads;
}

/// A block takes a part of one row of the result: gridDim.x counts rows of all frames. A thread keeps to its channels,
/// whose scale and shift stay in registers.
template <bool kNorm>
__global__ void __launch_bounds__(kThreads) pad_video_kernel(PadVideo a) {
  const int row_vectors = static_cast<int>(a.shape.channels / kJoinUnit);
  const int columns = static_cast<int>(a.shape.columns);
  const int space = static_cast<int>(a.space);
  const int out_rows = static_cast<int>(a.shape.rows) + 2 * space;
  const int out_columns = columns + 2 * space;
  const int row_of_frames = static_cast<int>(blockIdx.x);
  const int frame = clamped(row_of_frames / out_rows - static_cast<int>(a.time), static_cast<int>(a.shape.frames));
  const int row = clamped(row_of_frames % out_rows - space, static_cast<int>(a.shape.rows));
  const std::int64_t from = (frame * a.shape.rows + row) * columns;
  const std::int64_t to = static_cast<std::int64_t>(row_of_frames) * out_columns;
  const int span = threads_of_column(a.shape.channels);
  const int lanes = kThreads / span;
  const int lane = static_cast<int>(threadIdx.x) / span;
  if (lane >= lanes) return;
  const int first = static_cast<int>(blockIdx.y) * lanes * kColumnsPerThread;
  const int end = min(out_columns, first + lanes * kColumnsPerThread);
  for (int channel = static_cast<int>(threadIdx.x) % span; channel < row_vectors; channel += span) {
    Eight scale{};
    Eight shift{};
    if constexpr (kNorm) {
      scale = reinterpret_cast<const Eight*>(a.scale)[channel];
      shift = reinterpret_cast<const Eight*>(a.shift)[channel];
    }
#pragma unroll 4
    for (int column = first + lane; column < end; column += lanes) {
      const std::int64_t source = (from + clamped(column - space, columns)) * row_vectors + channel;
      const std::int64_t target = (to + column) * row_vectors + channel;
      if constexpr (kNorm) {
        Eight x = load_bf16(a.x, source);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          x.pair[i].x = silu(x.pair[i].x * scale.pair[i].x + shift.pair[i].x);
          x.pair[i].y = silu(x.pair[i].y * scale.pair[i].y + shift.pair[i].y);
        }
        store_bf16(a.out, target, x);
      } else {
        static_cast<uint4*>(a.out)[target] = static_cast<const uint4*>(a.x)[source];
      }
    }
  }
}

}  // namespace

int pad_video(const PadVideo* arguments, void* stream) {
  const PadVideo& a = *arguments;
  const std::int64_t out_rows = (a.shape.frames + a.time) * (a.shape.rows + 2 * a.space);
  if (a.shape.channels % kJoinUnit != 0) return cudaErrorInvalidValue;
  const std::int64_t of_block = kThreads / threads_of_column(a.shape.channels) * kColumnsPerThread;
  const std::int64_t blocks = (a.shape.columns + 2 * a.space + of_block - 1) / of_block;
  const dim3 grid(static_cast<unsigned>(out_rows), static_cast<unsigned>(blocks));
  auto* const queue = static_cast<cudaStream_t>(stream);
  if (a.scale != nullptr) {
    pad_video_kernel<true><<<grid, kThreads, 0, queue>>>(a);
  } else {
    pad_video_kernel<false><<<grid, kThreads, 0, queue>>>(a);
  }
  return cudaGetLastError();
}

}  // namespace reelfarm::nn::cuda

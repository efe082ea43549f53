#include <cuda_runtime.h>

#include "pipeline/nn/cuda/eight.cuh"
#include "pipeline/nn/cuda/launchers.hpp"

namespace reelfarm::nn::cuda {
namespace {

constexpr int kThreads = 256;

/// A block takes one row of the result at a time: gridDim.x counts rows of all frames.
__global__ void __launch_bounds__(kThreads) interleave_phases_kernel(InterleavePhases a) {
  const int row_vectors = static_cast<int>(a.shape.channels / kJoinUnit);
  const int rows = static_cast<int>(a.shape.rows);
  const int columns = static_cast<int>(a.shape.columns);
  const int frame = static_cast<int>(blockIdx.x) / rows;
  const int row = static_cast<int>(blockIdx.x) % rows;
  const int space = a.space ? 2 : 1;
  const int phases = (a.time ? 2 : 1) * space * space;
  const int source_rows = a.space ? rows / 2 + 1 : rows;
  const int source_columns = a.space ? columns / 2 + 1 : columns;
  const int copy = a.time ? 1 - frame % 2 : 0;  // frame 0 is a second copy
  const int odd_row = a.space ? row % 2 : 0;
  const int source_frame = a.time ? (frame + 1) / 2 : frame;
  const std::int64_t source_row =
      (static_cast<std::int64_t>(source_frame) * source_rows + row / space + odd_row) * source_columns;
  const int vectors = columns * row_vectors;
  const std::int64_t to = static_cast<std::int64_t>(blockIdx.x) * vectors;
  for (int vector = static_cast<int>(blockIdx.y * kThreads + threadIdx.x); vector < vectors;
       vector += static_cast<int>(gridDim.y) * kThreads) {
    const int column = vector / row_vectors;
    const int odd_column = a.space ? column % 2 : 0;
    const int phase = (copy * space + odd_row) * space + odd_column;
    const int channel = phase * row_vectors + vector % row_vectors;
    const std::int64_t source = (source_row + column / space + odd_column) * phases * row_vectors + channel;
    Eight x = load_bf16(a.phases, source);
    if (a.bias != nullptr) {
      const auto bias = reinterpret_cast<const Eight*>(a.bias)[channel];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        x.pair[i].x += bias.pair[i].x;
        x.pair[i].y += bias.pair[i].y;
      }
    }
    store_bf16(a.out, to + vector, x);
  }
}

}  // namespace

int interleave_phases(const InterleavePhases* arguments, void* stream) {
  const InterleavePhases& a = *arguments;
  const std::int64_t out_rows = a.shape.frames * a.shape.rows;
  if (a.shape.channels % kJoinUnit != 0) return cudaErrorInvalidValue;
  const std::int64_t vectors = a.shape.columns * a.shape.channels / kJoinUnit;
  constexpr std::int64_t kVectorsPerThread = 4;
  const std::int64_t blocks = (vectors + kThreads * kVectorsPerThread - 1) / (kThreads * kVectorsPerThread);
  interleave_phases_kernel<<<dim3(static_cast<unsigned>(out_rows), static_cast<unsigned>(blocks)), kThreads, 0,
                             static_cast<cudaStream_t>(stream)>>>(a);
  return cudaGetLastError();
}

}  // namespace reelfarm::nn::cuda

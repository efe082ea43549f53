#include <cuda_runtime.h>

#include "pipeline/nn/cuda/eight.cuh"
#include "pipeline/nn/cuda/launchers.hpp"

namespace reelfarm::nn::cuda {
namespace {

constexpr int kThreads = 256;

/// Sums and sums of squares per channel over one block's voxels. A thread keeps to eight channels; `lanes` threads
/// share them. Sums run in an order that depends on the shape alone.
__global__ void __launch_bounds__(kThreads) moments_kernel(GroupAffine a) {
  extern __shared__ float of_lane[];  // (lanes, 2, channels)
  const int row_vectors = static_cast<int>(a.channels / kJoinUnit);
  const int lanes = kThreads / row_vectors;
  const int lane = static_cast<int>(threadIdx.x) / row_vectors;
  const int column = static_cast<int>(threadIdx.x) % row_vectors;
  Eight sum{};
  Eight squares{};
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * lanes;
  if (lane < lanes) {
#pragma unroll 4
    for (std::int64_t voxel = static_cast<std::int64_t>(blockIdx.x) * lanes + lane; voxel < a.voxels; voxel += step) {
      const Eight x = load_bf16(a.x, voxel * row_vectors + column);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        sum.pair[i].x += x.pair[i].x;
        sum.pair[i].y += x.pair[i].y;
        squares.pair[i].x += x.pair[i].x * x.pair[i].x;
        squares.pair[i].y += x.pair[i].y * x.pair[i].y;
      }
    }
    auto* own = of_lane + static_cast<std::int64_t>(lane) * 2 * a.channels;
    reinterpret_cast<Eight*>(own)[column] = sum;
    reinterpret_cast<Eight*>(own + a.channels)[column] = squares;
  }
  __syncthreads();
  float* partial = a.partial + static_cast<std::int64_t>(blockIdx.x) * 2 * a.channels;
  for (int i = static_cast<int>(threadIdx.x); i < 2 * a.channels; i += kThreads) {
    float total = 0;
    for (int other = 0; other < lanes; ++other) total += of_lane[other * 2 * a.channels + i];
    partial[i] = total;
  }
}

/// One block, a thread per channel.
__global__ void affine_kernel(GroupAffine a) {
  __shared__ double means[kMaxNormChannels];
  __shared__ double variances[kMaxNormChannels];
  const int channel = static_cast<int>(threadIdx.x);
  double sum = 0;
  double squares = 0;
#pragma unroll 8
  for (int block = 0; block < kMomentBlocks; ++block) {
    const float* partial = a.partial + block * 2 * a.channels;
    sum += partial[channel];
    squares += partial[a.channels + channel];
  }
  const double offset = a.offset != nullptr ? a.offset[channel] : 0.0;
  const double mean = sum / static_cast<double>(a.voxels);
  variances[channel] = squares / static_cast<double>(a.voxels) - mean * mean;
  means[channel] = mean + offset;
  __syncthreads();
  const int size = static_cast<int>(a.channels / a.groups);
  const int first = channel / size * size;
  double group_mean = 0;
  for (int i = first; i < first + size; ++i) group_mean += means[i];
  group_mean /= size;
  double variance = 0;
  for (int i = first; i < first + size; ++i) {
    variance += variances[i] + (means[i] - group_mean) * (means[i] - group_mean);
  }
  variance = fmax(variance / size, 0.0);
  const double scale = a.weight[channel] / sqrt(variance + a.eps);
  a.scale[channel] = static_cast<float>(scale);
  a.shift[channel] = static_cast<float>(a.bias[channel] + (offset - group_mean) * scale);
}

}  // namespace

int group_affine(const GroupAffine* arguments, void* stream) {
  const GroupAffine& a = *arguments;
  if (a.voxels == 0 || a.channels % kJoinUnit != 0 || a.channels > kMaxNormChannels || a.channels % a.groups != 0) {
    return cudaErrorInvalidValue;
  }
  const auto channels = static_cast<unsigned>(a.channels);
  const unsigned lanes = kThreads / (channels / kJoinUnit);
  const std::size_t shared = lanes * 2 * channels * sizeof(float);  // at most 16 KiB: lanes x channels <= 8 kThreads
  auto* const queue = static_cast<cudaStream_t>(stream);
  moments_kernel<<<static_cast<unsigned>(kMomentBlocks), kThreads, shared, queue>>>(a);
  affine_kernel<<<1, channels, 0, queue>>>(a);
  return cudaGetLastError();
}

}  // namespace reelfarm::nn::cuda

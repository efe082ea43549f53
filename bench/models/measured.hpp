#pragma once

#include <string>

#include <ATen/core/Tensor.h>

#include "bench/support/timing.hpp"
#include "pipeline/nn/placement.hpp"

namespace reelfarm::bench {

/// As --dtype resolves it; "fp8-linears" is fp8 without its attention. Says on stderr what cannot be had.
nn::Placement placement_of(const std::string& dtype, c10::Device device);

/// Returns when the device has computed `result`: reading one element waits for it.
void finish(const at::Tensor& result);

/// GFLOP/s that the processor gives a large product of this type: the ceiling of any model made of products.
double matmul_gflops(const nn::Placement& placement);

/// The most GiB that LibTorch's tensors took on the device since the last call; 0 on the CPU.
double peak_gib(c10::Device device);

/// A tensor of a safetensors file, fp32 on the CPU.
at::Tensor read(const std::string& file, const std::string& name);

}  // namespace reelfarm::bench

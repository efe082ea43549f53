#pragma once

#include <chrono>
#include <string>

#include <ATen/core/Tensor.h>

#include "pipeline/nn/placement.hpp"

namespace reelfarm::bench {

/// Wall-clock seconds of work().
template <typename Work>
double seconds(const Work& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Returns when the device has computed `result`: reading one element waits for it.
void finish(const at::Tensor& result);

/// GFLOP/s that the processor gives a large product of this type: the ceiling of any model made of products.
double matmul_gflops(const nn::Placement& placement);

/// A tensor of a safetensors file, fp32 on the CPU.
at::Tensor read(const std::string& file, const std::string& name);

}  // namespace reelfarm::bench

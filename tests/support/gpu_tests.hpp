#pragma once

#include <cstdio>

#include <gtest/gtest.h>

#include "pipeline/nn/cuda_backend.hpp"

namespace reelfarm::test {

/// main() of a test program that needs a GPU of this compute capability (times ten) or newer. Without one it says so
/// and counts as missing.
inline int run_gpu_tests(int argc, char** argv, int capability = 80) {
  constexpr int kMissing = 77;
  testing::InitGoogleTest(&argc, argv);
  if (!nn::cuda_device_present() || nn::cuda_compute_capability(0) < capability) {
    std::printf("not run: no NVIDIA driver with a visible device of compute capability %d.%d or newer answers here\n",
                capability / 10, capability % 10);
    return kMissing;
  }
  nn::load_cuda_backend();
  return RUN_ALL_TESTS();
}

}  // namespace reelfarm::test

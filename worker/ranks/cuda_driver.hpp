#pragma once

#include <string>

namespace reelfarm::worker {

/// What the NVIDIA driver says of itself when it is first asked.
struct DriverAnswer {
  int version = 0;      ///< newest CUDA that it serves, 13000 for 13.0; 0: libcuda.so.1 is not there
  int gpus = 0;         ///< that this process sees
  std::string error{};  ///< in the driver's words; empty: it works, or is not there
};

DriverAnswer ask_cuda_driver();

}  // namespace reelfarm::worker

#pragma once

#include <chrono>
#include <memory>

#include "parallel/process_group.hpp"

namespace reelfarm::testing {

/// The GPU of this rank, the only one that it sees.
inline const c10::Device kGpu{c10::kCUDA, 0};

/// Collective. Whether every rank of the world has a GPU of its own; loads CUDA then.
bool every_rank_has_a_gpu();

/// Collective. A group of the world over NCCL.
std::unique_ptr<parallel::ProcessGroup> gpu_world(std::chrono::milliseconds patience = std::chrono::minutes(1));

}  // namespace reelfarm::testing

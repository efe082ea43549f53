#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>

#include "parallel/process_group.hpp"

namespace reelfarm::worker {

/// Takes one JSON object for standard output.
using SelfTestSink = std::function<void(const nlohmann::json&)>;

/// What is said before MPI_Init, so that a rank that hangs there is seen: {"check":"mpi","state":"begun"}.
void begin_self_test(const SelfTestSink& say);

/// Collective. What `reelfarm doctor` wants to know of this machine, tried with what ranks use when they render: a sum
/// over MPI; on rank 0 each visible GPU (a product and one of our kernels, compared with the CPU), and a sum over NCCL
/// between all of them. For each thing that is tried rank 0 says an object with `check` ("mpi", "gpus", "gpu", "nccl")
/// and `state` ("begun", and then "passed" or "failed" with `error`), so that one that only begun names what hung:
///   mpi   ranks, library, right
///   gpus  count, driver (CUDA's number of the driver's version, 13000 for 13.0; 0: there is none), error
///   gpu   gpu, name, memory (bytes), capability (times ten), runtime (as driver), right, kernels ("run", "absent", or
///         what went wrong)
///   nccl  version (NCCL's number), gpus, right
void run_self_test(parallel::ProcessGroup& world, const SelfTestSink& say);

}  // namespace reelfarm::worker

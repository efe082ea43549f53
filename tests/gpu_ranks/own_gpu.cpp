#include "tests/gpu_ranks/own_gpu.hpp"

#include <ATen/ATen.h>

#include <set>
#include <string>

#include "parallel/mpi_session.hpp"
#include "parallel/nccl_process_group.hpp"
#include "pipeline/nn/cuda_backend.hpp"

namespace reelfarm::testing {

bool every_rank_has_a_gpu() {
  const auto world = parallel::MpiSession::world();
  const std::string own = nn::cuda_device_present() ? nn::cuda_device_place(0) : "";
  std::set<std::string> places;
  for (int rank = 0; rank < world->size(); ++rank) places.insert(world->broadcast_text(own, rank));
  if (places.contains("") || static_cast<int>(places.size()) != world->size()) return false;
  nn::load_cuda_backend();
  return true;
}

std::unique_ptr<parallel::ProcessGroup> gpu_world(std::chrono::milliseconds patience) {
  return parallel::group_on(kGpu, parallel::MpiSession::world(patience));
}

}  // namespace reelfarm::testing

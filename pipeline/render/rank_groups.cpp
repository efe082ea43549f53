#include "pipeline/render/rank_groups.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "parallel/all_or_none.hpp"
#include "parallel/nccl_process_group.hpp"
#include "pipeline/dit/config.hpp"
#include "pipeline/nn/cuda_backend.hpp"

namespace reelfarm::render {

parallel::MeshShape mesh_for(const weights::Bundle& bundle, const std::string& asked, int ranks, int ranks_of_machine) {
  const auto heads = dit::DitConfig::from_file(bundle.folder("transformer") / "config.json").num_heads;
  return asked.empty() ? parallel::choose_mesh(ranks, heads, ranks_of_machine)
                       : parallel::parse_mesh(asked, ranks, heads);
}

void require_own_gpus(parallel::ProcessGroup& world, const std::string& gpu) {
  constexpr std::int64_t kLength = 128;
  const at::Tensor name = at::zeros({kLength}, at::kByte);
  std::memcpy(name.data_ptr(), gpu.data(), std::min<std::size_t>(gpu.size(), kLength));
  const at::Tensor names = world.all_gather(name);
  parallel::all_or_none(world, [&] {
    for (std::int64_t rank = 0; rank < names.size(0); ++rank) {
      if (rank == world.rank() || !at::equal(names[rank], name)) continue;
      const std::string both = std::to_string(std::min<std::int64_t>(rank, world.rank())) + " and " +
                               std::to_string(std::max<std::int64_t>(rank, world.rank()));
      throw std::invalid_argument("ranks " + both + " of " + std::to_string(world.size()) + " have the same GPU (" +
                                  gpu +
                                  "); a group needs one for each of its ranks: start fewer ranks, or more "
                                  "groups, or look at CUDA_VISIBLE_DEVICES");
    }
  });
}

RankGroups rank_groups(std::unique_ptr<parallel::ProcessGroup> denoise, std::unique_ptr<parallel::ProcessGroup> decode,
                       const parallel::MeshShape& mesh, c10::Device device) {
  if (device.is_cuda()) require_own_gpus(*denoise, nn::cuda_device_place(device.index()));
  auto denoise_on_device = parallel::group_on(device, std::move(denoise));
  return {std::move(denoise_on_device), parallel::group_on(device, std::move(decode)), mesh};
}

std::vector<dit::SharedTransformer> shared_transformers(const Networks& networks, const RankGroups& groups) {
  std::vector<dit::SharedTransformer> shared;
  shared.push_back({networks.video, parallel::Mesh(*groups.denoise, groups.mesh)});
  if (networks.image) {
    const auto shape =
        parallel::choose_mesh(groups.mesh.ranks(), networks.image->config().num_heads, groups.mesh.ulysses);
    shared.push_back({*networks.image, parallel::Mesh(*groups.denoise, shape)});
  }
  // Here, where all ranks are, so that it takes no time of the first forward's.
  for (const dit::SharedTransformer& each : shared) each.mesh.ulysses().no_peer_writes(networks.video.device());
  return shared;
}

std::string way_of_heads(const parallel::Mesh& mesh, c10::Device device) {
  if (!device.is_cuda() || mesh.shape().ulysses == 1) return "";
  const std::string why_not = mesh.ulysses().no_peer_writes(device);
  return "heads reach the other GPUs " + (why_not.empty() ? "by copy engines" : "over NCCL: " + why_not);
}

}  // namespace reelfarm::render

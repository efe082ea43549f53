#include "pipeline/render/rank_groups.hpp"

#include <stdexcept>

#include "pipeline/dit/config.hpp"

namespace reelfarm::render {

parallel::MeshShape mesh_for(const weights::Bundle& bundle, const nn::Placement& placement, const std::string& asked,
                             int ranks, int ranks_of_machine) {
  if (ranks > 1 && placement.device.is_cuda()) {
    throw std::invalid_argument("--device " + placement.device.str() + " with " + std::to_string(ranks) +
                                " ranks: in this version ranks share a window on the CPU only; use --device cpu, or "
                                "one rank a GPU (--groups)");
  }
  const auto heads = dit::DitConfig::from_file(bundle.folder("transformer") / "config.json").num_heads;
  return asked.empty() ? parallel::choose_mesh(ranks, heads, ranks_of_machine)
                       : parallel::parse_mesh(asked, ranks, heads);
}

std::vector<dit::SharedTransformer> shared_transformers(const Networks& networks, const RankGroups& groups) {
  std::vector<dit::SharedTransformer> shared;
  shared.push_back({networks.video, parallel::Mesh(*groups.denoise, groups.mesh)});
  if (networks.image) {
    const auto shape =
        parallel::choose_mesh(groups.mesh.ranks(), networks.image->config().num_heads, groups.mesh.ulysses);
    shared.push_back({*networks.image, parallel::Mesh(*groups.denoise, shape)});
  }
  return shared;
}

}  // namespace reelfarm::render

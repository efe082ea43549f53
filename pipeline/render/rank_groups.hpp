#pragma once

#include <memory>
#include <string>
#include <vector>

#include "parallel/mesh.hpp"
#include "parallel/process_group.hpp"
#include "pipeline/dit/shared_forward.hpp"
#include "pipeline/nn/placement.hpp"
#include "pipeline/render/networks.hpp"
#include "pipeline/weights/bundle.hpp"

namespace reelfarm::render {

/// The ranks that render together. Two groups of the same ranks in the same order, because one window is denoised while
/// another is decoded.
struct RankGroups {
  std::unique_ptr<parallel::ProcessGroup> denoise;
  std::unique_ptr<parallel::ProcessGroup> decode;
  parallel::MeshShape mesh;  ///< of the video transformer
};

/// The mesh for the bundle's video transformer: `asked` ("UxR"), or without it the one that exchanges least.
/// `ranks_of_machine` as in parallel::choose_mesh. Throws std::invalid_argument when `asked` does not fit.
parallel::MeshShape mesh_for(const weights::Bundle& bundle, const std::string& asked, int ranks, int ranks_of_machine);

/// Collective. `gpu` names this rank's GPU, whatever process asks. Throws std::invalid_argument on the lowest rank that
/// has the GPU of another, parallel::PeerFailed on all others.
void require_own_gpus(parallel::ProcessGroup& world, const std::string& gpu);

/// Collective over two groups of all ranks, which are taken over: the same groups for tensors on `device`. On a GPU,
/// throws as require_own_gpus() and parallel::group_on() do.
RankGroups rank_groups(std::unique_ptr<parallel::ProcessGroup> denoise, std::unique_ptr<parallel::ProcessGroup> decode,
                       const parallel::MeshShape& mesh, c10::Device device);

/// Collective over groups.denoise. In the order of kVideoTransformer and kImageTransformer. The image transformer,
/// whose heads may be others, gets the nearest mesh that fits.
std::vector<dit::SharedTransformer> shared_transformers(const Networks& networks, const RankGroups& groups);

/// How the heads of the mesh's rows reach the other GPUs, for a log: "heads reach the other GPUs by copy engines".
/// Empty without GPUs, or rows of several ranks. Of a mesh from shared_transformers().
std::string way_of_heads(const parallel::Mesh& mesh, c10::Device device);

}  // namespace reelfarm::render

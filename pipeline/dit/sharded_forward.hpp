#pragma once

#include "parallel/mesh.hpp"
#include "pipeline/dit/sharded_attention.hpp"
#include "pipeline/dit/transformer.hpp"

namespace reelfarm::dit {

/// The forward of a transformer over whole clips of one size, whose tokens are spread over the ranks of a group. All
/// must outlive it. Padding tokens at the end make the parts equal.
class ShardedForward {
 public:
  /// `mesh` spans `group`. frames, height, width: of the latents. Throws std::invalid_argument when a patch does not
  /// divide them.
  ShardedForward(const Transformer& transformer, parallel::ProcessGroup& group, const parallel::Mesh& mesh,
                 std::int64_t frames, std::int64_t height, std::int64_t width);

  /// Collective. Every rank gives the same latents (1, in_channels, L, h, w) and gets the same velocity
  /// (1, out_channels, L, h, w) in the model's type. Throws std::invalid_argument for latents of another size, before
  /// anything is exchanged.
  at::Tensor operator()(const at::Tensor& latents, const Prepared& prepared, int step,
                        const BlockCallback& on_block = {}) const;

 private:
  const Transformer& transformer_;
  parallel::ProcessGroup& group_;
  const parallel::Mesh& mesh_;
  parallel::TokenParts parts_;
  TokenLayout layout_;
  ShardedJointAttention attention_;
};

/// Collective. What `root` prepared reaches every rank, on the transformer's device; others give nothing.
Prepared broadcast_prepared(parallel::ProcessGroup& group, int root, const Prepared& prepared,
                            const Transformer& transformer);

}  // namespace reelfarm::dit

#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "parallel/mesh.hpp"
#include "pipeline/dit/denoiser.hpp"
#include "pipeline/dit/transformer.hpp"

namespace reelfarm::dit {

/// A transformer whose forwards all ranks of a mesh run together.
struct SharedTransformer {
  const Transformer& transformer;
  parallel::Mesh mesh;
};

/// Called after each block of this rank's part of a forward.
using ForwardCallback = std::function<void(int step, int done, int total)>;

/// Rank 0 of a group that runs forwards together. The other ranks are in follow_forwards() with the same transformers
/// in the same order. All must outlive it, and what it gives out must not.
class ForwardLeader {
 public:
  ForwardLeader(std::vector<SharedTransformer> transformers, parallel::ProcessGroup& group);
  /// Lets the followers go.
  ~ForwardLeader();
  ForwardLeader(const ForwardLeader&) = delete;
  ForwardLeader& operator=(const ForwardLeader&) = delete;

  /// The velocity of clips of this size, by the transformer with this index; the other ranks get what it takes. One
  /// clip at a time: the model of an earlier one is of no use. What `on_block` throws is rethrown at the end of the
  /// forward, since the others are in the middle of it too; an error of this rank's own work ends the group. Throws
  /// std::invalid_argument when a patch does not divide the size.
  VelocityModel clip(std::size_t transformer, std::int64_t frames, std::int64_t height, std::int64_t width,
                     const Prepared& prepared, ForwardCallback on_block) const;

  /// Between forwards: calls act() here and `aside` of follow_forwards() on the other ranks, so that they can do
  /// something else together over this group. A std::exception of act() ends the group.
  void aside(const std::function<void()>& act) const;

 private:
  std::vector<SharedTransformer> transformers_;
  parallel::ProcessGroup& group_;
};

/// What ranks other than 0 do: takes part in every forward until the leader is gone, and calls `aside` where the leader
/// does. Throws parallel::GroupError when it is lost.
void follow_forwards(const std::vector<SharedTransformer>& transformers, parallel::ProcessGroup& group,
                     const std::function<void()>& aside = {});

}  // namespace reelfarm::dit

#pragma once

#include "parallel/sequence_attention.hpp"
#include "pipeline/dit/joint_attention.hpp"

namespace reelfarm::dit {

/// Every rank of a mesh holds a part of the image's tokens, and all of the text. Collective over the mesh.
///
/// In 8 bits where that is asked for, the device has it and the mesh has no ring, whose parts are merged by their
/// log-sum-exp, which the 8-bit kernel does not give. q, k and v then have one scale per rank, for its heads.
class ShardedJointAttention final : public JointAttention {
 public:
  ShardedJointAttention(const parallel::Mesh& mesh, const parallel::TokenParts& parts, bool quantised = false);

  std::unique_ptr<Call> begin(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                              std::int64_t image_tokens) const override;

 private:
  parallel::SequenceAttention attention_;
  parallel::TokenParts parts_;
};

}  // namespace reelfarm::dit

#pragma once

#include "parallel/sequence_attention.hpp"
#include "pipeline/dit/joint_attention.hpp"

namespace reelfarm::dit {

/// Every rank of a mesh holds a part of the image's tokens, and all of the text. Collective over the mesh.
class ShardedJointAttention final : public JointAttention {
 public:
  ShardedJointAttention(const parallel::Mesh& mesh, const parallel::TokenParts& parts);

  quant::Rows operator()(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                         std::int64_t image_tokens) const override;

 private:
  parallel::SequenceAttention attention_;
  parallel::TokenParts parts_;
};

}  // namespace reelfarm::dit

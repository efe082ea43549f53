#include "pipeline/dit/sharded_attention.hpp"

#include "pipeline/nn/attention.hpp"

namespace reelfarm::dit {
namespace {

parallel::SoftmaxPart attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  nn::AttentionPart part = nn::attention_part(q, k, v);
  return {std::move(part.out), std::move(part.lse)};
}

}  // namespace

ShardedJointAttention::ShardedJointAttention(const parallel::Mesh& mesh, const parallel::TokenParts& parts)
    : attention_(mesh, attend), parts_(parts) {}

quant::Rows ShardedJointAttention::operator()(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                              std::int64_t /*image_tokens*/) const {
  return {attention_(q, k, v, parts_).flatten(1), {}};
}

}  // namespace reelfarm::dit

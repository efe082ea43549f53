#include "pipeline/dit/joint_attention.hpp"

#include "pipeline/nn/attention.hpp"

namespace reelfarm::dit {

at::Tensor LocalJointAttention::operator()(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                           std::int64_t /*image_tokens*/) const {
  return nn::attention(q, k, v);
}

}  // namespace reelfarm::dit

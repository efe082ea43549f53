#include "pipeline/dit/joint_attention.hpp"

#include "pipeline/nn/attention.hpp"
#include "pipeline/quant/attention.hpp"

namespace reelfarm::dit {

quant::Rows LocalJointAttention::operator()(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                            std::int64_t /*image_tokens*/) const {
  if (quantised_ && quant::attention_fits(q, k)) return quant::attention(q, k, v);
  return {nn::attention(q.unsqueeze(0), k.unsqueeze(0), v.unsqueeze(0))[0].flatten(1), {}};
}

}  // namespace reelfarm::dit

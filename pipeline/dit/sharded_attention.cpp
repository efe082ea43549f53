#include "pipeline/dit/sharded_attention.hpp"

#include <utility>

#include "pipeline/nn/attention.hpp"
#include "pipeline/quant/attention.hpp"

namespace reelfarm::dit {
namespace {

parallel::SoftmaxPart attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  nn::AttentionPart part = nn::attention_part(q, k, v);
  return {std::move(part.out), std::move(part.lse)};
}

parallel::SoftmaxPart attend_in_8_bits(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  if (!quant::attention_fits(q, k)) return attend(q, k, v);
  const quant::Rows rows = quant::attention(q, k, v);
  // All its scales are the same: one factor, in fp32 whatever the type.
  const at::Tensor out = rows.values.to(q.scalar_type()).mul_(rows.scales.select(0, 0).select(0, 0));
  return {out.view(q.sizes()), {}};
}

class ShardedCall final : public JointAttention::Call {
 public:
  explicit ShardedCall(parallel::SequenceAttention::Call call) : call_(std::move(call)) {}
  bool exchanges() const override { return true; }
  void attend() override { call_.attend(); }
  quant::Rows finish() override { return {call_.finish().flatten(1), {}}; }

 private:
  parallel::SequenceAttention::Call call_;
};

}  // namespace

ShardedJointAttention::ShardedJointAttention(const parallel::Mesh& mesh, const parallel::TokenParts& parts,
                                             bool quantised)
    : attention_(mesh, quantised && mesh.shape().ring == 1 ? attend_in_8_bits : attend), parts_(parts) {}

std::unique_ptr<JointAttention::Call> ShardedJointAttention::begin(const at::Tensor& q, const at::Tensor& k,
                                                                   const at::Tensor& v,
                                                                   std::int64_t /*image_tokens*/) const {
  return std::make_unique<ShardedCall>(attention_.begin(q, k, v, parts_));
}

}  // namespace reelfarm::dit

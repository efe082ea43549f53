#include "pipeline/dit/joint_attention.hpp"

#include <functional>
#include <utility>

#include "pipeline/nn/attention.hpp"
#include "pipeline/quant/attention.hpp"

namespace reelfarm::dit {

std::unique_ptr<JointAttention::Call> WholeAttention::begin(const at::Tensor& q, const at::Tensor& k,
                                                            const at::Tensor& v, std::int64_t image_tokens) const {
  class Deferred final : public Call {
   public:
    explicit Deferred(std::function<quant::Rows()> act) : act_(std::move(act)) {}
    quant::Rows finish() override { return act_(); }

   private:
    std::function<quant::Rows()> act_;
  };
  return std::make_unique<Deferred>([this, q, k, v, image_tokens] { return attend(q, k, v, image_tokens); });
}

quant::Rows LocalJointAttention::attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                        std::int64_t /*image_tokens*/) const {
  if (quantised_ && quant::attention_fits(q, k)) return quant::attention(q, k, v);
  return {nn::attention(q.unsqueeze(0), k.unsqueeze(0), v.unsqueeze(0))[0].flatten(1), {}};
}

}  // namespace reelfarm::dit

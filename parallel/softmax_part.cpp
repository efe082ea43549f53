#include "parallel/softmax_part.hpp"

#include <ATen/ATen.h>

#include <limits>

namespace reelfarm::parallel {

SoftmaxPart SoftmaxPart::none(const at::Tensor& q) {
  const auto options = q.options().dtype(at::kFloat);
  return {at::zeros(q.sizes(), options),
          at::full({q.size(0), q.size(1)}, -std::numeric_limits<float>::infinity(), options)};
}

SoftmaxPart merge(const SoftmaxPart& a, const SoftmaxPart& b) {
  const at::Tensor lse = at::logaddexp(a.lse, b.lse);
  const auto weighted = [&lse](const SoftmaxPart& part) {
    return part.out.to(at::kFloat) * at::exp(part.lse - lse).unsqueeze(-1);
  };
  return {weighted(a).add_(weighted(b)), lse};
}

}  // namespace reelfarm::parallel

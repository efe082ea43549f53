#include "pipeline/nn/embedding.hpp"

#include <cmath>

namespace reelfarm::nn {

at::Tensor timestep_embedding(const at::Tensor& t, std::int64_t dim, double max_period) {
  const std::int64_t half = dim / 2;
  const at::Tensor exponent =
      at::arange(half, at::TensorOptions().dtype(at::kFloat)) * (-std::log(max_period) / static_cast<double>(half));
  const at::Tensor angle = t.to(at::kFloat).unsqueeze(-1) * at::exp(exponent).to(t.device()).unsqueeze(0);
  return at::cat({at::cos(angle), at::sin(angle)}, -1);
}

}  // namespace reelfarm::nn

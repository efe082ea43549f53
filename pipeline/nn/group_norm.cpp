#include "pipeline/nn/group_norm.hpp"

#include <stdexcept>
#include <string>

#include "pipeline/nn/detail/group_norm_cpu.hpp"
#include "pipeline/nn/parameter_reader.hpp"

namespace reelfarm::nn {

GroupNorm::GroupNorm(const ParameterReader& reader, std::int64_t groups, std::int64_t channels, double eps)
    : weight_(reader.tensor("weight", {channels}, at::kFloat)),
      bias_(reader.tensor("bias", {channels}, at::kFloat)),
      groups_(groups),
      eps_(eps) {
  if (groups <= 0 || channels % groups != 0) {
    throw std::invalid_argument(reader.full_name("weight") + ": " + std::to_string(channels) +
                                " channels cannot be split into " + std::to_string(groups) + " groups");
  }
}

at::Tensor GroupNorm::operator()(const at::Tensor& x) const {
  if (x.device().is_cpu()) return at::group_norm(x, groups_, weight_, bias_, eps_);
  // Off the CPU the kernels want scale and shift in the type of x.
  return at::group_norm(x, groups_, weight_.to(x.scalar_type()), bias_.to(x.scalar_type()), eps_);
}

void GroupNorm::silu_into(const at::Tensor& x, const at::Tensor& out) const {
  if (detail::group_norm_silu_fits(x, out)) {
    detail::group_norm_silu(x, out, weight_, bias_, groups_, eps_);
    return;
  }
  at::Tensor y = (*this)(x);
  out.copy_(at::silu_(y));
}

}  // namespace reelfarm::nn

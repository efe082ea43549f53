#include "parallel/copy_wide.hpp"

#include <ATen/ATen.h>

#include <algorithm>

namespace reelfarm::parallel {

void copy_wide(const at::Tensor& to, const at::Tensor& from) {
  constexpr std::int64_t kWide = 16;
  const auto fits = [](const at::Tensor& x) {
    if (x.dim() == 0) return false;
    const auto bytes = static_cast<std::int64_t>(x.element_size());
    const bool strides = std::ranges::all_of(x.strides().slice(0, static_cast<std::size_t>(x.dim() - 1)),
                                             [&](std::int64_t stride) { return stride * bytes % kWide == 0; });
    return strides && x.stride(-1) == 1 && x.size(-1) * bytes % kWide == 0 && x.storage_offset() * bytes % kWide == 0;
  };
  if (fits(to) && fits(from)) {
    to.view(at::kComplexDouble).copy_(from.view(at::kComplexDouble));
  } else {
    to.copy_(from);
  }
}

}  // namespace reelfarm::parallel

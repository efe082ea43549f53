#pragma once

#include <ATen/ATen.h>

namespace reelfarm::test {

/// |found - expected| / |expected|, norms over all elements.
inline double relative_error(const at::Tensor& found, const at::Tensor& expected) {
  const at::Tensor wide = expected.to(at::kCPU, at::kDouble);
  return ((found.to(at::kCPU, at::kDouble) - wide).norm() / wide.norm()).item<double>();
}

}  // namespace reelfarm::test

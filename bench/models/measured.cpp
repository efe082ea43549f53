#include "bench/models/measured.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "pipeline/nn/parameter_reader.hpp"

namespace reelfarm::bench {

void finish(const at::Tensor& result) {
  result.flatten()[0].cpu();
}

double matmul_gflops(const nn::Placement& placement) {
  const std::int64_t size = placement.device.is_cuda() ? 8192 : 2048;
  const at::Tensor a = at::randn({size, size}).to(placement.device, placement.dtype);
  const at::Tensor b = at::randn({size, size}).to(placement.device, placement.dtype);
  double best = 1e9;
  for (int i = 0; i < 3; ++i) best = std::min(best, seconds([&] { finish(at::matmul(a, b)); }));
  const auto n = static_cast<double>(size);
  return 2.0 * n * n * n / best * 1e-9;
}

at::Tensor read(const std::string& file, const std::string& name) {
  const nn::ParameterReader reader(weights::TensorSource::open(file), {c10::kCPU, at::kFloat});
  return reader.tensor(name, reader.shape(name));
}

}  // namespace reelfarm::bench

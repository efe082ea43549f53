#include "bench/models/measured.hpp"

#include <ATen/ATen.h>
#include <c10/core/CachingDeviceAllocator.h>

#include <algorithm>
#include <iostream>

#include "pipeline/nn/parameter_reader.hpp"

namespace reelfarm::bench {

nn::Placement placement_of(const std::string& dtype, c10::Device device) {
  const bool linears = dtype == "fp8-linears";
  nn::ResolvedPlacement resolved = nn::resolve_placement(linears ? "fp8" : dtype, device);
  if (!resolved.note.empty()) std::cerr << resolved.note << '\n';
  if (linears) resolved.placement.quantised_attention = false;
  return resolved.placement;
}

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

double peak_gib(c10::Device device) {
  if (!device.is_cuda()) return 0;
  c10::DeviceAllocator* allocator = c10::getDeviceAllocator(device.type());
  constexpr auto kAll = static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  const auto peak = allocator->getDeviceStats(device.index()).allocated_bytes[kAll].peak;
  allocator->resetPeakStats(device.index());
  return static_cast<double>(peak) / (1U << 30U);
}

at::Tensor read(const std::string& file, const std::string& name) {
  const nn::ParameterReader reader(weights::TensorSource::open(file), {c10::kCPU, at::kFloat});
  return reader.tensor(name, reader.shape(name));
}

}  // namespace reelfarm::bench

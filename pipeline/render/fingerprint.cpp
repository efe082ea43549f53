#include "pipeline/render/fingerprint.hpp"

#include <torch/headeronly/version.h>

#include <fstream>
#include <sstream>

#include "pipeline/artifacts/sha256.hpp"
#include "pipeline/nn/cuda_backend.hpp"

namespace reelfarm::render {
namespace {

std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown CPU";
}

}  // namespace

std::string device_name(c10::Device device) {
  if (device.is_cuda()) return nn::cuda_device_name(device.index());
  return cpu_model() + ", " + at::get_cpu_capability();
}

std::string fingerprint_of(const FingerprintParts& parts) {
  std::ostringstream text;
  text << "reelfarm " << REELFARM_VERSION << "\ntorch " << TORCH_VERSION << "\nbundle " << parts.bundle_hash
       << "\ndtype " << nn::dtype_name(parts.placement)
       << (parts.placement.quantised_attention ? ", attention too" : "") << "\nmesh " << parts.mesh << "\nthreads "
       << parts.threads << "\ntiles " << parts.tiles << "\ndevice "
       << (parts.placement.device.is_cuda() ? nn::cuda_device_name(parts.placement.device.index())
                                            : "cpu " + at::get_cpu_capability())
       << "\n";
  return artifacts::sha256_of(text.str()).substr(0, 16);
}

}  // namespace reelfarm::render

#include "pipeline/nn/placement.hpp"

#include <stdexcept>
#include <string>

#include "pipeline/nn/cuda_backend.hpp"

namespace reelfarm::nn {

c10::Device resolve_device(std::string_view name) {
  if (name == "cpu") return c10::kCPU;
  if (name == "auto") {
    if (!cuda_device_present()) return c10::kCPU;
    load_cuda_backend();
    return c10::Device(c10::kCUDA, 0);
  }
  if (name == "cuda" || name.starts_with("cuda:")) {
    if (!cuda_device_present()) {
      throw std::runtime_error("--device " + std::string(name) +
                               ": no NVIDIA driver with a visible device answers on this machine "
                               "(CUDA_VISIBLE_DEVICES?); use --device cpu");
    }
    load_cuda_backend();
    return name == "cuda" ? c10::Device(c10::kCUDA, 0) : c10::Device(std::string(name));
  }
  throw std::invalid_argument("--device '" + std::string(name) + "': expected auto, cpu, cuda or cuda:N");
}

bool cpu_multiplies_bf16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

c10::ScalarType resolve_dtype(std::string_view name, c10::Device device) {
  if (name == "auto") return device.is_cuda() || cpu_multiplies_bf16() ? c10::kBFloat16 : c10::kFloat;
  if (name == "fp32") return c10::kFloat;
  if (name == "bf16") return c10::kBFloat16;
  if (name == "fp8" || name == "int8") {
    throw std::invalid_argument("--dtype " + std::string(name) + ": not in this version; expected auto, fp32 or bf16");
  }
  throw std::invalid_argument("--dtype '" + std::string(name) + "': expected auto, fp32 or bf16");
}

std::string_view dtype_name(c10::ScalarType dtype) {
  switch (dtype) {
    case c10::kFloat:
      return "fp32";
    case c10::kBFloat16:
      return "bf16";
    case c10::kHalf:
      return "fp16";
    default:
      return "other";
  }
}

}  // namespace reelfarm::nn

#include "pipeline/nn/placement.hpp"

#include <stdexcept>
#include <string>

#include "pipeline/nn/cuda_backend.hpp"
#include "pipeline/nn/cuda_kernels.hpp"

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
      throw std::invalid_argument("--device " + std::string(name) +
                                  ": no NVIDIA driver with a visible device answers on this machine "
                                  "(CUDA_VISIBLE_DEVICES?); use --device cpu");
    }
    try {
      load_cuda_backend();
    } catch (const std::runtime_error& error) {
      throw std::invalid_argument("--device " + std::string(name) + ": " + error.what());
    }
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
  throw std::invalid_argument("--dtype '" + std::string(name) + "': expected auto, fp32, bf16, fp8, int8 or w8a8");
}

namespace {

/// Ten times the compute capability; 0 for the CPU.
int capability_of(c10::Device device) {
  return device.is_cuda() ? cuda_compute_capability(device.index()) : 0;
}

std::string capability_text(c10::Device device) {
  if (!device.is_cuda()) return "this runs on the CPU";
  const int capability = capability_of(device);
  return cuda_device_name(device.index()) + " has " + std::to_string(capability / 10) + "." +
         std::to_string(capability % 10);
}

ResolvedPlacement resolve_w8a8(c10::Device device) {
  constexpr int kFirst = 80;
  const Placement placement{device, resolve_dtype("auto", device), Quantisation::w8a8};
  if (!device.is_cuda() || capability_of(device) >= kFirst) return {placement, {}};
  return {{device, placement.dtype, Quantisation::int8},
          "--dtype w8a8 needs a GPU of compute capability 8.0 or newer, and " + capability_text(device) +
              "; it renders in int8 instead"};
}

}  // namespace

ResolvedPlacement resolve_placement(std::string_view dtype, c10::Device device) {
  if (dtype == "w8a8") return resolve_w8a8(device);
  if (dtype == "int8") return {{device, resolve_dtype("auto", device), Quantisation::int8}, {}};
  if (dtype != "fp8") return {{device, resolve_dtype(dtype, device)}, {}};
  constexpr int kFirstWithProducts = 89;  // compute capabilities times ten
  constexpr int kFirstWithAttention = 90;
  const int capability = capability_of(device);
  if (capability < kFirstWithProducts) {
    const c10::ScalarType fallback = resolve_dtype("auto", device);
    return {{device, fallback},
            "--dtype fp8 needs a GPU of compute capability 8.9 or newer, and " + capability_text(device) +
                "; it renders in " + std::string(dtype_name(fallback)) + " instead"};
  }
  const cuda::KernelTable* kernels = cuda_kernels();
  const bool attention = capability >= kFirstWithAttention && kernels != nullptr && kernels->fp8_attention != nullptr;
  return {{device, c10::kBFloat16, Quantisation::fp8, attention},
          attention ? std::string()
                    : "--dtype fp8: attention stays in bf16, since " +
                          std::string(capability < kFirstWithAttention
                                          ? "cuDNN has it in 8 bits from compute capability 9.0 on"
                                          : "the CUDA plug-in is absent or was built without cuDNN's headers")};
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

std::string_view dtype_name(const Placement& placement) {
  switch (placement.quantisation) {
    case Quantisation::fp8:
      return "fp8";
    case Quantisation::int8:
      return "int8";
    case Quantisation::w8a8:
      return "w8a8";
    case Quantisation::none:
      break;
  }
  return dtype_name(placement.dtype);
}

}  // namespace reelfarm::nn

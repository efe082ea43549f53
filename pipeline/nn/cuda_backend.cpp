#include "pipeline/nn/cuda_backend.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <stdexcept>
#include <string>

#include <ATen/Context.h>

#include "pipeline/nn/cuda_kernels.hpp"

namespace reelfarm::nn {
namespace {

void* open_library(const std::string& name) {
  // RTLD_GLOBAL: the library registers its kernels with the dispatcher of the libtorch_cpu that is already here.
  void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) {
    const char* words = dlerror();
    throw std::runtime_error("cuda: cannot load " + name + ": " + (words != nullptr ? words : "no reason given") +
                             "; is the full torch package (with CUDA libraries) installed?");
  }
  return library;
}

std::filesystem::path plugin_path() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return {};
  for (const char* place : {"libreelfarm_cuda.so", "../lib/libreelfarm_cuda.so"}) {
    std::filesystem::path candidate = program.parent_path() / place;
    if (std::filesystem::exists(candidate, error)) return candidate;
  }
  return {};
}

}  // namespace

void load_cuda_backend() {
  static std::once_flag once;
  std::call_once(once, [] {
    open_library("libtorch_cuda.so");
    // An fp32 run means fp32: cuDNN's convolutions would take TF32, with 10 bits of mantissa, unless told otherwise.
    at::globalContext().setAllowTF32CuDNN(false);
    // Split products add their parts in fp32, not in bf16.
    at::globalContext().setAllowBF16ReductionCuBLAS(false);
    const std::filesystem::path plugin = plugin_path();
    if (!plugin.empty()) adopt_cuda_kernels(open_library(plugin.string()), plugin.c_str());
  });
}

namespace {

/// The few calls of the CUDA driver API (cuda.h) that are asked before LibTorch's CUDA part is loaded. The library is
/// absent on machines without a driver; it is never unloaded, since LibTorch uses the same one.
class Driver {
 public:
  Driver() {
    void* library = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
    if (library == nullptr) return;
    init_ = reinterpret_cast<int (*)(unsigned)>(dlsym(library, "cuInit"));
    count_ = reinterpret_cast<int (*)(int*)>(dlsym(library, "cuDeviceGetCount"));
    name_ = reinterpret_cast<int (*)(char*, int, int)>(dlsym(library, "cuDeviceGetName"));
    attribute_ = reinterpret_cast<int (*)(int*, int, int)>(dlsym(library, "cuDeviceGetAttribute"));
    bus_ = reinterpret_cast<int (*)(char*, int, int)>(dlsym(library, "cuDeviceGetPCIBusId"));
    memory_ = reinterpret_cast<int (*)(std::size_t*, int)>(dlsym(library, "cuDeviceTotalMem_v2"));
  }

  int devices() const {
    int count = 0;
    return init_ != nullptr && count_ != nullptr && init_(0) == 0 && count_(&count) == 0 ? count : 0;
  }

  std::string name(int index) const { return asked(name_, index); }
  std::string bus(int index) const { return asked(bus_, index); }

  std::int64_t memory(int index) const {
    std::size_t bytes = 0;
    const bool known = devices() > index && memory_ != nullptr && memory_(&bytes, index) == 0;
    return known ? static_cast<std::int64_t>(bytes) : 0;
  }

  int compute_capability(int index) const {
    constexpr int kMajor = 75;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
    constexpr int kMinor = 76;
    int major = 0;
    int minor = 0;
    if (devices() <= index || attribute_ == nullptr || attribute_(&major, kMajor, index) != 0 ||
        attribute_(&minor, kMinor, index) != 0) {
      return 0;
    }
    return 10 * major + minor;
  }

 private:
  std::string asked(int (*call)(char*, int, int), int index) const {
    char text[256] = {};
    if (devices() <= index || call == nullptr || call(text, sizeof text, index) != 0)
      return "CUDA device " + std::to_string(index);
    return text;
  }

  int (*init_)(unsigned) = nullptr;
  int (*count_)(int*) = nullptr;
  int (*name_)(char*, int, int) = nullptr;
  int (*bus_)(char*, int, int) = nullptr;
  int (*memory_)(std::size_t*, int) = nullptr;
  int (*attribute_)(int*, int, int) = nullptr;
};

}  // namespace

bool cuda_device_present() {
  return Driver().devices() > 0;
}

std::string cuda_device_name(int index) {
  return Driver().name(index);
}

std::int64_t cuda_device_memory(int index) {
  return Driver().memory(index);
}

void set_up_cuda_memory(std::int64_t limit) {
  // The allocators' one switch that needs no CUDA headers; it is read when they are first used. Segments that grow
  // leave no holes: with fixed ones a decode of 11 GiB did not fit into 12, and two windows at a time into 79.
  std::string options = "expandable_segments:True,pinned_use_cuda_host_register:True,pinned_num_register_threads:8";
  const std::int64_t all = cuda_device_memory(0);
  const bool limited = limit > 0 && limit < all;
  if (limited) {
    options += ",per_process_memory_fraction:" + std::to_string(static_cast<double>(limit) / static_cast<double>(all));
  }
  ::setenv("PYTORCH_CUDA_ALLOC_CONF", options.c_str(), limited);
}

int cuda_compute_capability(int index) {
  return Driver().compute_capability(index);
}

std::string cuda_device_place(int index) {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;
  file >> boot;
  return boot + ":" + Driver().bus(index);
}

}  // namespace reelfarm::nn

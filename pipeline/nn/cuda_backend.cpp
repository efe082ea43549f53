#include "pipeline/nn/cuda_backend.hpp"

#include <dlfcn.h>

#include <filesystem>
#include <mutex>
#include <stdexcept>
#include <string>

namespace reelfarm::nn {
namespace {

void open_library(const std::string& name) {
  // RTLD_GLOBAL: the library registers its kernels with the dispatcher of the libtorch_cpu that is already here.
  if (dlopen(name.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    const char* words = dlerror();
    throw std::runtime_error("cuda: cannot load " + name + ": " + (words != nullptr ? words : "no reason given") +
                             "; is the full torch package (with CUDA libraries) installed?");
  }
}

std::filesystem::path plugin_path() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return {};
  for (const char* place : {"libreelfarm_cuda.so", "../lib/libreelfarm_cuda.so"}) {
    const std::filesystem::path candidate = program.parent_path() / place;
    if (std::filesystem::exists(candidate, error)) return candidate;
  }
  return {};
}

}  // namespace

void load_cuda_backend() {
  static std::once_flag once;
  std::call_once(once, [] {
    open_library("libtorch_cuda.so");
    const std::filesystem::path plugin = plugin_path();
    if (!plugin.empty()) open_library(plugin.string());
  });
}

bool cuda_device_present() {
  // The driver library answers without CUDA's runtime; it is absent on machines without a driver.
  void* driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (driver == nullptr) return false;
  using Init = int (*)(unsigned);
  using Count = int (*)(int*);
  const auto init = reinterpret_cast<Init>(dlsym(driver, "cuInit"));
  const auto count = reinterpret_cast<Count>(dlsym(driver, "cuDeviceGetCount"));
  int devices = 0;
  return init != nullptr && count != nullptr && init(0) == 0 && count(&devices) == 0 && devices > 0;
}

}  // namespace reelfarm::nn

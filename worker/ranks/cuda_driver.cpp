#include "worker/ranks/cuda_driver.hpp"

#include <dlfcn.h>

namespace reelfarm::worker {
namespace {

/// A call of the CUDA driver API (cuda.h), all of which return a CUresult.
template <typename... Arguments>
int call(void* library, const char* name, Arguments... arguments) {
  constexpr int kNotFound = 500;  // CUDA_ERROR_NOT_FOUND
  const auto function = reinterpret_cast<int (*)(Arguments...)>(dlsym(library, name));
  return function != nullptr ? function(arguments...) : kNotFound;
}

std::string words_of(void* library, const char* name, int code) {
  const char* words = nullptr;
  call(library, "cuGetErrorString", code, &words);
  return std::string(name) + " failed with code " + std::to_string(code) +
         (words != nullptr ? ": " + std::string(words) : "");
}

}  // namespace

DriverAnswer ask_cuda_driver() {
  DriverAnswer answer;
  void* library = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);  // never closed: LibTorch uses the same one
  if (library == nullptr) return answer;
  call(library, "cuDriverGetVersion", &answer.version);
  constexpr int kNoDevice = 100;  // CUDA_ERROR_NO_DEVICE: the driver works, and there is nothing for it to drive
  if (const int code = call(library, "cuInit", 0U); code != 0) {
    if (code != kNoDevice) answer.error = words_of(library, "cuInit", code);
    return answer;
  }
  if (const int code = call(library, "cuDeviceGetCount", &answer.gpus); code != 0) {
    answer.error = words_of(library, "cuDeviceGetCount", code);
  }
  return answer;
}

}  // namespace reelfarm::worker

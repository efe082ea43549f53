#pragma once

#include <dlfcn.h>

#include <string>

namespace reelfarm::nn {

/// The CUDA driver, or null where there is none. Never closed: LibTorch uses the same one. Programs are linked against
/// LibTorch's CPU part alone, so that they also start without it.
inline void* cuda_driver() {
  return dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
}

/// A call of the driver API (cuda.h), all of which return a CUresult.
template <typename... Arguments>
int cuda_driver_call(void* driver, const char* name, Arguments... arguments) {
  constexpr int kNotFound = 500;  // CUDA_ERROR_NOT_FOUND
  const auto function = reinterpret_cast<int (*)(Arguments...)>(dlsym(driver, name));
  return function != nullptr ? function(arguments...) : kNotFound;
}

/// What failed, with the code and the driver's words for it.
inline std::string cuda_driver_words(void* driver, const char* name, int code) {
  const char* words = nullptr;
  cuda_driver_call(driver, "cuGetErrorString", code, &words);
  return std::string(name) + " failed with code " + std::to_string(code) +
         (words != nullptr ? ": " + std::string(words) : "");
}

}  // namespace reelfarm::nn

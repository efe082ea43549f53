#include "pipeline/nn/cuda_kernels.hpp"

#include <dlfcn.h>

#include <atomic>
#include <stdexcept>
#include <string>

#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace reelfarm::nn {
namespace {

std::atomic<const cuda::KernelTable*> adopted = nullptr;

}  // namespace

const cuda::KernelTable* cuda_kernels() {
  return adopted.load();
}

void adopt_cuda_kernels(void* library, const char* path) {
  using Entry = const cuda::KernelTable* (*)();
  const auto entry = reinterpret_cast<Entry>(dlsym(library, cuda::kKernelTableSymbol));
  const cuda::KernelTable* table = entry != nullptr ? entry() : nullptr;
  if (table == nullptr || table->version != cuda::kKernelTableVersion) {
    throw std::runtime_error("cuda: " + std::string(path) + " has kernel table version " +
                             (table != nullptr ? std::to_string(table->version) : "none") + ", this program needs " +
                             std::to_string(cuda::kKernelTableVersion) + "; use program and plug-in of one build");
  }
  adopted = table;
}

void detail::launch_kernel(const std::function<int(void* stream)>& kernel, const at::Tensor& tensor) {
  const c10::DeviceGuard guard(tensor.device());
  const c10::Stream stream = c10::impl::VirtualGuardImpl(c10::kCUDA).getStream(tensor.device());
  const int error = kernel(stream.native_handle());
  if (error != 0) {
    throw std::runtime_error("cuda: a kernel was refused for shape " + std::to_string(tensor.numel()) +
                             " elements: " + cuda_kernels()->error_text(error));
  }
}

std::int64_t fp8_attention_workspace(const cuda::Fp8Attention& shape, const at::Tensor& tensor) {
  if (!tensor.is_cuda() || cuda_kernels() == nullptr || cuda_kernels()->fp8_attention == nullptr) return -1;
  const c10::DeviceGuard guard(tensor.device());
  return cuda_kernels()->fp8_attention_workspace(&shape);
}

void launch_fp8_attention(const cuda::Fp8Attention& arguments, const at::Tensor& tensor) {
  const c10::DeviceGuard guard(tensor.device());
  const c10::Stream stream = c10::impl::VirtualGuardImpl(c10::kCUDA).getStream(tensor.device());
  if (cuda_kernels()->fp8_attention(&arguments, stream.native_handle()) != 0) {
    throw std::runtime_error("cuda: attention in 8 bits over " + std::to_string(arguments.key_tokens) +
                             " tokens: " + cuda_kernels()->fp8_attention_error());
  }
}

}  // namespace reelfarm::nn

#pragma once

#include <cstdint>
#include <string>

namespace reelfarm::nn {

/// Loads libtorch_cuda, and our own plug-in libreelfarm_cuda.so where it lies beside the program, into this process.
/// Must run before the first ATen call that could ask for CUDA: LibTorch looks for its CUDA hooks once. Idempotent.
/// Throws std::runtime_error with the dynamic loader's words.
void load_cuda_backend();

/// Whether an NVIDIA driver with at least one visible device answers on this machine. Does not load LibTorch's CUDA
/// part.
bool cuda_device_present();

/// The driver's name for a visible device, for example "NVIDIA H100 80GB HBM3"; "CUDA device N" when it does not say.
std::string cuda_device_name(int index);

/// Bytes of a visible device's memory; 0 when the driver does not say.
std::int64_t cuda_device_memory(int index);

/// Sets LibTorch's allocators up: segments that grow, host memory pinned by several threads, and, unless `limit` is 0,
/// at most so many bytes of the first visible device: what needs more ends with c10::OutOfMemoryError. To be called
/// before load_cuda_backend(), in a process with one thread. It writes PYTORCH_CUDA_ALLOC_CONF; one that the user has
/// set is replaced where there is a limit, and stays otherwise.
void set_up_cuda_memory(std::int64_t limit);

/// Of a visible device, times ten: 90 for an H100. 0 when the driver does not say.
int cuda_compute_capability(int index);

/// Where a visible device is, the same for every process that sees it and no other device's: the machine's boot and the
/// PCI bus address, "6f1c...:0000:4e:00.0".
std::string cuda_device_place(int index);

}  // namespace reelfarm::nn

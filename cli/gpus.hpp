#pragma once

#include <cstdint>
#include <filesystem>

namespace reelfarm::cli {

/// GPUs that programs started here would see: as many as CUDA_VISIBLE_DEVICES names (`visible`; null: it is not set),
/// else as many as the NVIDIA driver has device files for in `devices` (a container has those of its own GPUs).
/// What is said of CUDA_VISIBLE_DEVICES: CUDA C++ Programming Guide, "CUDA Environment Variables".
std::int64_t count_gpus(const char* visible, const std::filesystem::path& devices = "/dev");

}  // namespace reelfarm::cli

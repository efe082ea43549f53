#pragma once

#include <string_view>

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

namespace reelfarm::nn {

/// Where a module's parameters live and in which type it computes.
struct Placement {
  c10::Device device = c10::kCPU;
  c10::ScalarType dtype = c10::kFloat;
};

/// The device of `--device auto|cpu|cuda[:N]`. `auto` takes a GPU where the driver shows one, else the CPU.
/// Loads the CUDA backend of LibTorch when the answer is a GPU. Throws std::invalid_argument for another word and
/// std::runtime_error, with the loader's words, when cuda was asked for and cannot be had.
c10::Device resolve_device(std::string_view name);

/// Whether this processor has instructions for products in bf16 (AVX512-BF16; every processor with AMX has them, too).
/// Without them bf16 is widened to fp32 first, and slower than fp32 itself.
bool cpu_multiplies_bf16();

/// The compute type of `--dtype auto|fp32|bf16`. `auto` is bf16 on a GPU and on a CPU that multiplies it, else fp32.
/// Throws std::invalid_argument for another word; fp8 and int8 are named as not in this version.
c10::ScalarType resolve_dtype(std::string_view name, c10::Device device);

/// "fp32", "bf16", "fp16": the word that resolve_dtype takes.
std::string_view dtype_name(c10::ScalarType dtype);

}  // namespace reelfarm::nn

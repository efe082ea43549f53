#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

namespace reelfarm::nn {

/// How the operands of a transformer's large products are held.
enum class Quantisation {
  none,  // in the compute type
  fp8,   // e4m3, one scale per token and per output channel
  int8,  // weights alone, one scale per output channel; multiplied in the compute type
  w8a8,  // the same weights and int8 tokens, one scale per token; multiplied in integers
};

inline constexpr std::int64_t kAllLayers = std::numeric_limits<std::int64_t>::max();

/// Where a module's parameters live and in which type it computes.
struct Placement {
  c10::Device device = c10::kCPU;
  c10::ScalarType dtype = c10::kFloat;
  Quantisation quantisation = Quantisation::none;
  bool quantised_attention = false;  ///< whether the transformer's attention is in e4m3 as well
  /// How many layers of a transformer or language model stay on the device; the others come from host memory whenever
  /// they are run, ahead of use (LayerStore). With fewer than kAllLayers a diffusion transformer's modulation, which is
  /// run once a prompt, comes from there as well. Changes no bit of a result.
  std::int64_t resident_layers = kAllLayers;
};

/// The device of `--device auto|cpu|cuda[:N]`. `auto` takes a GPU where the driver shows one, else the CPU.
/// Loads the CUDA backend of LibTorch when the answer is a GPU. Throws std::invalid_argument for another word, and,
/// with the loader's words, when cuda was asked for and cannot be had.
c10::Device resolve_device(std::string_view name);

/// Whether this processor has instructions for products in bf16 (AVX512-BF16; every processor with AMX has them, too).
/// Without them bf16 is widened to fp32 first, and slower than fp32 itself.
bool cpu_multiplies_bf16();

/// The compute type of `--dtype auto|fp32|bf16`. `auto` is bf16 on a GPU and on a CPU that multiplies it, else fp32.
/// Throws std::invalid_argument for another word.
c10::ScalarType resolve_dtype(std::string_view name, c10::Device device);

/// What `--dtype auto|fp32|bf16|fp8|int8|w8a8` comes to on a device.
struct ResolvedPlacement {
  Placement placement;
  std::string note;  ///< a sentence for the log where not all of what was asked for can be had; else empty
};

/// fp8 is bf16 with the transformer's products in e4m3 from compute capability 8.9 on (Ada, Hopper), and its attention
/// from 9.0 on, where the CUDA plug-in has it. Elsewhere it falls back to `auto`, and the note says so. int8 is `auto`
/// with the weights of the transformer's products in 8 bits, on any device. w8a8 multiplies them with rows in 8 bits,
/// on GPUs from compute capability 8.0 on (Ampere) and on the CPU, and falls back to int8 elsewhere. Throws as
/// resolve_dtype does.
ResolvedPlacement resolve_placement(std::string_view dtype, c10::Device device);

/// "fp32", "bf16", "fp16", "fp8", "int8", "w8a8": the word that resolve_placement takes.
std::string_view dtype_name(c10::ScalarType dtype);
std::string_view dtype_name(const Placement& placement);

}  // namespace reelfarm::nn

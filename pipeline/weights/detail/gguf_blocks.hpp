#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "pipeline/weights/dtype.hpp"

namespace reelfarm::weights::detail {

/// A type of GGUF tensors.
struct GgufType {
  std::uint32_t id;
  std::string_view name;
  std::uint32_t block_elements, block_bytes;
  DType dtype;  ///< of the mapped data, or of what `decode` makes
  /// Turns whole blocks into bf16; null for mapped types.
  void (*decode)(std::span<const std::byte> blocks, std::span<std::byte> out);
};

/// Null for a type that is not read.
const GgufType* gguf_type(std::uint32_t id);

/// "F32, F16, ...", for messages.
std::string_view known_gguf_types();

}  // namespace reelfarm::weights::detail

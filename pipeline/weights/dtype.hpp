#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace reelfarm::weights {

/// Element types that the models and their quantized forms use.
enum class DType { f64, f32, f16, bf16, f8_e4m3, f8_e5m2, i64, i32, i16, i8, u8, boolean };

/// Bytes per element.
std::size_t size_of(DType dtype);

/// The name in a safetensors header, for example "BF16".
std::string_view name_of(DType dtype);

/// The type with this safetensors name; nothing when it is unknown.
std::optional<DType> dtype_from_name(std::string_view name);

/// All known names, "F64, F32, ...", for messages.
std::string known_dtype_names();

}  // namespace reelfarm::weights

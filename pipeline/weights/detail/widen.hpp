#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "pipeline/weights/tensor.hpp"

namespace reelfarm::weights::detail {

/// What each byte of an 8-bit type (fp8, I8) stands for.
const std::array<float, 256>& values_of_bytes(DType dtype);

/// Whether widen() takes numbers of this type: F32, BF16, F16, fp8 and I8.
bool can_widen(DType dtype);

/// Stored numbers as fp32, exactly. `out` has as many elements.
void widen(DType dtype, std::span<const std::byte> stored, std::span<float> out);

/// Rounds to F32 or BF16, to nearest even.
void narrow(std::span<const float> values, DType dtype, std::span<std::byte> out);

/// A tensor's numbers. Throws WeightError, opened by `what`, for a type that is not F32, BF16 or F16.
std::vector<float> floats(const TensorInfo& tensor, const std::string& what);

}  // namespace reelfarm::weights::detail

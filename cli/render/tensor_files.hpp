#pragma once

#include <filesystem>
#include <string>

#include <ATen/core/Tensor.h>

namespace reelfarm::render {

/// Reads one fp32 tensor of exactly this shape. Throws weights::WeightError naming file, tensor and shapes.
at::Tensor read_tensor(const std::filesystem::path& file, const std::string& name, at::IntArrayRef shape);

/// Writes one fp32 tensor as a safetensors file, whole or not at all. Throws weights::WeightError.
void write_tensor(const std::filesystem::path& file, const std::string& name, const at::Tensor& tensor);

}  // namespace reelfarm::render

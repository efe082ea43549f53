#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pipeline/weights/tensor_file.hpp"

namespace reelfarm::weights {

/// A GGUF file, versions 2 and 3. Types F32, F16 and BF16 are mapped; Q8_0, Q4_K, Q5_K and Q6_K become bf16 when they
/// are read. Source: ggml's docs/gguf.md and its block layouts (ggml-common.h).
class GgufFile : public TensorFile {
 public:
  /// Throws WeightError naming the file, the tensor and what was expected and found.
  explicit GgufFile(const std::filesystem::path& file);

 private:
  void add(const std::string& name, const std::vector<std::int64_t>& shape, std::uint32_t type,
           std::span<const std::byte> data, std::uint64_t offset);
  void check_overlaps() const;
};

bool looks_like_gguf(std::span<const std::byte> file);

}  // namespace reelfarm::weights

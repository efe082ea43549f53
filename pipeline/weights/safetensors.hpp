#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "pipeline/weights/tensor_file.hpp"

namespace reelfarm::weights {

/// One memory-mapped safetensors file. Opening checks every rule of the format and reads no tensor data.
/// Source: https://huggingface.co/docs/safetensors (format) and the limits of its reference reader.
class SafetensorsFile : public TensorFile {
 public:
  /// Throws WeightError naming the file, the tensor and what was expected and found.
  explicit SafetensorsFile(const std::filesystem::path& file);

  /// The strings of `__metadata__`.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  std::map<std::string, std::string> metadata_;
};

/// The largest header that is read, as in the reference reader.
inline constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;

}  // namespace reelfarm::weights

#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "pipeline/weights/detail/mapped_file.hpp"
#include "pipeline/weights/tensor_source.hpp"

namespace reelfarm::weights {

/// One memory-mapped safetensors file. Opening checks every rule of the format and reads no tensor data.
/// Source: https://huggingface.co/docs/safetensors (format) and the limits of its reference reader.
class SafetensorsFile {
 public:
  /// Throws WeightError naming the file, the tensor and what was expected and found.
  explicit SafetensorsFile(const std::filesystem::path& file);

  const std::filesystem::path& path() const { return path_; }

  /// In the order of the header's names (sorted).
  const std::vector<TensorInfo>& tensors() const { return tensors_; }

  /// The strings of `__metadata__`.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  std::filesystem::path path_;
  detail::MappedFile mapping_;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// The largest header that is read, as in the reference reader.
inline constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;

}  // namespace reelfarm::weights

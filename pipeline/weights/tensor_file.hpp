#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "pipeline/weights/detail/mapped_file.hpp"
#include "pipeline/weights/tensor.hpp"

namespace reelfarm::weights {

/// A memory-mapped file of named tensors. Opening checks its directory and reads no tensor data.
class TensorFile {
 public:
  /// Opens a file of any format this version reads, told apart by its first bytes: safetensors, GGUF, or what
  /// torch.save writes (.pt, .pth, .bin). Throws WeightError naming the file, the tensor and what was expected and
  /// found.
  static std::unique_ptr<TensorFile> open(const std::filesystem::path& file);

  virtual ~TensorFile() = default;
  TensorFile(const TensorFile&) = delete;
  TensorFile& operator=(const TensorFile&) = delete;

  const std::filesystem::path& path() const { return path_; }

  /// Sorted by name; no name twice.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }

  /// Reads what the format keeps check sums of. Throws WeightError for damage.
  virtual void check_sums() const {}

 protected:
  explicit TensorFile(const std::filesystem::path& file) : path_(file), mapping_(file) {}

  /// Sorts what a reader put into tensors_. Throws WeightError for a doubled name and for one that is not UTF-8.
  void finish_names();

  std::filesystem::path path_;
  detail::MappedFile mapping_;
  std::vector<TensorInfo> tensors_;
};

}  // namespace reelfarm::weights

#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/weights/dtype.hpp"
#include "pipeline/weights/errors.hpp"

namespace reelfarm::weights {

class SafetensorsFile;

/// One stored tensor: row-major, little-endian. `bytes` lies in the mapped file and need not be aligned to the element.
struct TensorInfo {
  std::string name;
  DType dtype;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
  std::string file;  // path of the file that holds it, for messages
};

/// Starts to read the tensor's pages from the disk and returns before they are there. Worth a call for the tensor after
/// the one that is being copied: page faults alone wait for the disk each time.
void prefetch(const TensorInfo& tensor);

/// The tensors of one component, from one file or from shards; keeps its files mapped for as long as it lives.
///
/// A file that another process truncates while it is mapped raises SIGBUS at the next read beyond its new end: replace
/// weights by rename, never in place.
class TensorSource {
 public:
  /// Opens a *.safetensors file, or a folder with model.safetensors, diffusion_pytorch_model.safetensors, one
  /// *.safetensors.index.json with its shards, or a single *.safetensors. Throws WeightError.
  static std::shared_ptr<const TensorSource> open(const std::filesystem::path& file_or_folder);

  ~TensorSource();
  TensorSource(const TensorSource&) = delete;
  TensorSource& operator=(const TensorSource&) = delete;

  /// The tensor, or nullptr when there is none of this name.
  const TensorInfo* find(std::string_view name) const;

  /// The tensor. Throws WeightError that names the file(s), the tensor and the nearest names.
  const TensorInfo& at(std::string_view name) const;

  /// All names, sorted.
  std::vector<std::string> names() const;

  /// What was opened: the file or the folder.
  const std::filesystem::path& path() const { return path_; }

  /// The files that are mapped: one, or the shards in the order of their names.
  std::vector<std::filesystem::path> files() const;

  /// Sum of the bytes of all tensors.
  std::uint64_t total_bytes() const;

 private:
  explicit TensorSource(std::filesystem::path path);
  void add_file(const std::filesystem::path& file);
  void add_shards(const std::filesystem::path& index);

  std::filesystem::path path_;
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::map<std::string, const TensorInfo*, std::less<>> tensors_;
};

}  // namespace reelfarm::weights

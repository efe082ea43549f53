#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/weights/lora.hpp"
#include "pipeline/weights/tensor.hpp"
#include "pipeline/weights/weight_form.hpp"

namespace reelfarm::weights {

class TensorFile;

/// The tensors of one component, from one file or from shards; keeps its files mapped for as long as it lives.
///
/// They are under the names of diffusers, whatever form they were published in: the names in the files say which it is
/// (docs/bundle.md). Fused rows are cut where they lie; what has to be computed is computed when it is read.
///
/// A file that another process truncates while it is mapped raises SIGBUS at the next read beyond its new end: replace
/// weights by rename, never in place.
class TensorSource {
 public:
  /// Opens a file of any format of TensorFile, or a folder with model.safetensors, diffusion_pytorch_model.safetensors,
  /// one *.safetensors.index.json with its shards, or a single *.safetensors. A folder without safetensors may have one
  /// *.bin.index.json with its shards instead, or a single other weight file, with Tencent's map of fp8 scales beside
  /// it. Throws WeightError.
  static std::shared_ptr<const TensorSource> open(const std::filesystem::path& file_or_folder);

  /// The same for weights that may be a part of a transformer (form().overlay), which open() refuses.
  static std::shared_ptr<const TensorSource> open_overlay(const std::filesystem::path& file);

  /// A transformer with LoRAs added as it is read. Throws WeightError for ones that do not fit.
  static std::shared_ptr<const TensorSource> with_loras(std::shared_ptr<const TensorSource> transformer,
                                                        const std::vector<Lora>& loras);

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

  /// What the files' names say they are.
  const WeightForm& form() const { return form_; }

  /// The files that are mapped: one, or the shards in the order of their names.
  std::vector<std::filesystem::path> files() const;

  /// Reads what the files keep check sums of. Throws WeightError for damage.
  void check_sums() const;

  /// Sum of the bytes of all tensors.
  std::uint64_t total_bytes() const;

 private:
  explicit TensorSource(std::filesystem::path path);
  static std::shared_ptr<const TensorSource> open(const std::filesystem::path& file_or_folder, bool overlays);
  void add_file(const std::filesystem::path& file);
  void add_shards(const std::filesystem::path& index);
  void add_scale_map(const std::filesystem::path& weights);
  void translate(bool overlays);

  std::filesystem::path path_;
  WeightForm form_;
  std::vector<std::unique_ptr<TensorFile>> files_;
  std::unique_ptr<TensorFile> scale_map_;
  std::map<std::string, const TensorInfo*, std::less<>> stored_;  // under the names of the files
  std::vector<TensorInfo> translated_;
  std::map<std::string, const TensorInfo*, std::less<>> tensors_;  // under ours
  std::shared_ptr<const TensorSource> under_;                      // what LoRAs were added to: it has the files
};

/// Whether a file of this name is weights: safetensors, or a form that is read where a folder has no safetensors.
bool is_safetensors(const std::filesystem::path& file);
bool is_other_weights(const std::filesystem::path& file);

}  // namespace reelfarm::weights

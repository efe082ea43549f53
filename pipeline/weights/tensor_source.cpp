#include "pipeline/weights/tensor_source.hpp"

#include <algorithm>
#include <cstdint>
#include <set>

#include "pipeline/weights/detail/near_match.hpp"
#include "pipeline/weights/detail/published.hpp"
#include "pipeline/weights/detail/scaled_weights.hpp"
#include "pipeline/weights/detail/strict_json.hpp"
#include "pipeline/weights/tensor_file.hpp"
#include "pipeline/weights/torch_file.hpp"

namespace reelfarm::weights {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kIndexSuffix = ".safetensors.index.json";
constexpr std::string_view kTorchIndexSuffix = ".bin.index.json";

struct FolderContents {
  std::vector<fs::path> indexes, files;              // safetensors
  std::vector<fs::path> torch_indexes, other_files;  // read where there are none
};

FolderContents list_folder(const fs::path& folder) {
  FolderContents contents;
  std::error_code error;
  fs::directory_iterator it(folder, error);
  if (error) throw WeightError("weights: cannot list " + folder.string() + ": " + error.message());
  for (; it != fs::directory_iterator(); it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.ends_with(kIndexSuffix)) contents.indexes.push_back(it->path());
    if (name.ends_with(kTorchIndexSuffix)) contents.torch_indexes.push_back(it->path());
    if (is_safetensors(name)) contents.files.push_back(it->path());
    if (is_other_weights(name)) contents.other_files.push_back(it->path());
    if (error) break;
  }
  if (error) throw WeightError("weights: cannot list " + folder.string() + ": " + error.message());
  for (auto* paths : {&contents.indexes, &contents.files, &contents.torch_indexes, &contents.other_files})
    std::sort(paths->begin(), paths->end());
  return contents;
}

std::string joined(const std::vector<fs::path>& paths) {
  std::string text;
  for (const fs::path& path : paths) text += (text.empty() ? "" : ", ") + path.filename().string();
  return text;
}

/// The one of these that holds all weights: an index, a file with a name that says so, or the only file.
fs::path pick(const std::string& what, const std::vector<fs::path>& indexes, const std::vector<fs::path>& files,
              const std::vector<std::string_view>& whole_names) {
  std::vector<fs::path> choices = indexes;
  for (const fs::path& file : files)
    if (std::ranges::find(whole_names, file.filename().string()) != whole_names.end()) choices.push_back(file);
  if (choices.empty() && files.size() == 1) return files.front();
  if (choices.size() == 1) return choices.front();
  if (choices.empty()) throw WeightError(what + ": several files (" + joined(files) + ") but no index of them");
  throw WeightError(what + ": doubled weights, expected one of " + joined(choices));
}

bool holds_scale_map(const fs::path& file) {
  return detail::is_scale_map(TensorFile::open(file)->tensors());
}

/// The one file or index of a folder. Anything that leaves a choice is an error: weights must not depend on luck.
fs::path pick_in_folder(const fs::path& folder) {
  const FolderContents contents = list_folder(folder);
  const std::string what = "weights: " + folder.string();
  if (!contents.files.empty() || !contents.indexes.empty())
    return pick(what, contents.indexes, contents.files, {"model.safetensors", "diffusion_pytorch_model.safetensors"});
  std::vector<fs::path> others = contents.other_files;
  if (others.size() > 1) std::erase_if(others, [](const fs::path& file) { return holds_scale_map(file); });
  if (!others.empty() || !contents.torch_indexes.empty())
    return pick(what, contents.torch_indexes, others, {"pytorch_model.bin", "diffusion_pytorch_model.bin"});
  throw WeightError(what + ": no *.safetensors file and no *.safetensors.index.json here");
}

}  // namespace

bool is_safetensors(const fs::path& file) {
  return file.extension() == ".safetensors";
}

bool is_other_weights(const fs::path& file) {
  const std::string extension = file.extension().string();
  return extension == ".pt" || extension == ".pth" || extension == ".bin" || extension == ".ckpt" ||
         extension == ".gguf";
}

TensorSource::TensorSource(fs::path path) : path_(std::move(path)) {}
TensorSource::~TensorSource() = default;

std::shared_ptr<const TensorSource> TensorSource::open(const fs::path& file_or_folder) {
  return open(file_or_folder, false);
}

std::shared_ptr<const TensorSource> TensorSource::open_overlay(const fs::path& file) {
  return open(file, true);
}

std::shared_ptr<const TensorSource> TensorSource::with_loras(std::shared_ptr<const TensorSource> transformer,
                                                             const std::vector<Lora>& loras) {
  std::shared_ptr<TensorSource> source(new TensorSource(transformer->path_));
  source->form_ = transformer->form_;
  std::vector<TensorInfo> tensors;
  for (const std::string& name : transformer->names()) tensors.push_back(transformer->at(name));
  source->translated_ = weights::with_loras(tensors, loras);
  for (const TensorInfo& tensor : source->translated_) source->tensors_.emplace(tensor.name, &tensor);
  source->under_ = std::move(transformer);
  return source;
}

std::shared_ptr<const TensorSource> TensorSource::open(const fs::path& file_or_folder, bool overlays) {
  std::shared_ptr<TensorSource> source(new TensorSource(file_or_folder));
  std::error_code error;
  const fs::path file = fs::is_directory(file_or_folder, error) ? pick_in_folder(file_or_folder) : file_or_folder;
  const std::string name = file.filename().string();
  if (name.ends_with(kIndexSuffix) || name.ends_with(kTorchIndexSuffix)) {
    source->add_shards(file);
  } else {
    source->add_file(file);
    source->add_scale_map(file);
  }
  source->translate(overlays);
  return source;
}

void TensorSource::add_file(const fs::path& file) {
  files_.push_back(TensorFile::open(file));
  for (const TensorInfo& tensor : files_.back()->tensors()) {
    const auto [it, inserted] = stored_.emplace(tensor.name, &tensor);
    if (!inserted)
      throw WeightError("weights: tensor " + detail::shown(tensor.name) + " is doubled: in " + it->second->file +
                        " and in " + tensor.file);
  }
}

/// Tencent publishes the scales of an fp8 file X.pt beside it as X_map.pt.
void TensorSource::add_scale_map(const fs::path& weights) {
  const bool fp8 = std::ranges::any_of(stored_, [](const auto& item) { return item.second->dtype == DType::f8_e4m3; });
  if (!fp8 || dynamic_cast<const TorchFile*>(files_.front().get()) == nullptr) return;
  fs::path beside = weights;
  beside.replace_filename(weights.stem().string() + "_map" + weights.extension().string());
  std::error_code error;
  if (!fs::exists(beside, error)) return;
  scale_map_ = TensorFile::open(beside);
  if (!detail::is_scale_map(scale_map_->tensors()))
    throw WeightError("weights: " + beside.string() + ": expected the fp8 scales of " + weights.string() +
                      ", one number each");
}

void TensorSource::translate(bool overlays) {
  std::vector<const TensorInfo*> stored;
  for (const auto& [name, tensor] : stored_) stored.push_back(tensor);
  const detail::PublishedFile file{"weights: " + path_.string(), scale_map_ ? &scale_map_->tensors() : nullptr,
                                   dynamic_cast<const TorchFile*>(files_.front().get()) != nullptr, overlays};
  detail::Published published = detail::from_published(stored, file);
  form_ = std::move(published.form);
  translated_ = std::move(published.tensors);
  for (const TensorInfo& tensor : translated_) tensors_.emplace(tensor.name, &tensor);
}

void TensorSource::add_shards(const fs::path& index) {
  const std::string what = "weights: " + index.string();
  const nlohmann::json parsed = detail::read_strict_json(index);
  const auto weight_map = parsed.find("weight_map");
  if (!parsed.is_object() || weight_map == parsed.end() || !weight_map->is_object() || weight_map->empty())
    throw WeightError(what + ": expected an object with a non-empty \"weight_map\" object");
  std::set<std::string> shards;
  for (const auto& item : weight_map->items()) {
    const std::string at = what + ": tensor " + detail::shown(item.key());
    if (!item.value().is_string())
      throw WeightError(at + ": expected a file name, found " + detail::shown(item.value()));
    const std::string shard = item.value().get<std::string>();
    if (shard.find('/') != std::string::npos || !(is_safetensors(shard) || is_other_weights(shard)))
      throw WeightError(at + ": expected the name of a *.safetensors file beside the index, found " +
                        detail::shown(shard));
    shards.insert(shard);
  }
  for (const std::string& shard : shards) {
    std::error_code error;
    if (!fs::exists(index.parent_path() / shard, error))
      throw WeightError(what + ": shard " + detail::shown(shard) + " is listed but missing");
    add_file(index.parent_path() / shard);
  }
  const auto refuse = [&what](const std::string& tensor, const std::string& why) {
    throw WeightError(what + ": tensor " + detail::shown(tensor) + why);
  };
  for (const auto& item : weight_map->items()) {
    const std::string listed = (index.parent_path() / item.value().get<std::string>()).string();
    const auto it = stored_.find(item.key());
    const TensorInfo* tensor = it == stored_.end() ? nullptr : it->second;
    if (tensor == nullptr)
      refuse(item.key(), " is listed, but not in " + listed);
    else if (tensor->file != listed)
      refuse(item.key(), ": expected in " + listed + ", found in " + tensor->file);
  }
  for (const auto& [name, tensor] : stored_)
    if (!weight_map->contains(name)) refuse(name, " is in " + tensor->file + ", but not listed");
}

const TensorInfo* TensorSource::find(std::string_view name) const {
  const auto it = tensors_.find(name);
  return it == tensors_.end() ? nullptr : it->second;
}

const TensorInfo& TensorSource::at(std::string_view name) const {
  if (const TensorInfo* tensor = find(name)) return *tensor;
  const std::vector<fs::path> opened = files();
  const std::string where =
      opened.size() == 1 ? opened.front().string() : path_.string() + " (" + std::to_string(opened.size()) + " shards)";
  throw WeightError("weights: " + where + ": tensor \"" + std::string(name) + "\" is missing (" +
                    std::to_string(tensors_.size()) + " tensors)" + detail::did_you_mean(name, names()));
}

std::vector<std::string> TensorSource::names() const {
  std::vector<std::string> names;
  names.reserve(tensors_.size());
  for (const auto& [name, tensor] : tensors_) names.push_back(name);
  return names;
}

std::vector<fs::path> TensorSource::files() const {
  if (under_) return under_->files();
  std::vector<fs::path> files;
  for (const auto& file : files_) files.push_back(file->path());
  return files;
}

void TensorSource::check_sums() const {
  if (under_) under_->check_sums();
  for (const auto& file : files_) file->check_sums();
  if (scale_map_) scale_map_->check_sums();
}

std::uint64_t TensorSource::total_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [name, tensor] : tensors_) bytes += tensor->byte_count();
  return bytes;
}

}  // namespace reelfarm::weights

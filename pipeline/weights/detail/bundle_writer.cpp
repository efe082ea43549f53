#include "pipeline/weights/detail/bundle_writer.hpp"

#include <sys/stat.h>

#include <algorithm>

#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"
#include "pipeline/weights/detail/part_writer.hpp"
#include "pipeline/weights/detail/staged_folder.hpp"
#include "pipeline/weights/verify.hpp"

namespace reelfarm::weights::detail {
namespace {

namespace fs = std::filesystem;

bool is_encoder(const std::string& part) {
  return part.starts_with("text_encoder") || part == "image_encoder";
}

bool is_weights(const fs::path& name) {
  return is_safetensors(name) || is_other_weights(name) || name.string().ends_with(".index.json");
}

void write_weights(const fs::path& folder, const std::string& name, const PlannedPart& part,
                   const std::vector<TensorInfo>& tensors, const ConvertRequest& request) {
  if (request.on_part) request.on_part(name, bytes_in(tensors));
  const auto heard = [&](std::uint64_t bytes) {
    if (request.on_bytes) request.on_bytes(bytes);
  };
  if (!part.plain()) {
    write_part(folder, is_encoder(name) ? "model" : "diffusion_pytorch_model", tensors, request.shard_bytes, heard);
    return;
  }
  std::error_code ignored;
  const fs::path from = part.source->path();
  if (fs::is_directory(from, ignored)) {
    copy_part(from, folder, [](const fs::path& file) {
      return is_safetensors(file) || file.string().ends_with(".safetensors.index.json");
    });
  } else {
    copy_part(from.parent_path(), folder, [&](const fs::path& file) { return file == from.filename(); });
  }
  heard(bytes_in(tensors));
}

void write(const fs::path& folder, const std::string& name, const PlannedPart& part,
           const std::vector<TensorInfo>& tensors, const ConvertRequest& request) {
  fs::create_directories(folder);
  if (part.source != nullptr) write_weights(folder, name, part, tensors, request);
  for (const auto& [file, value] : part.files) write_json(folder / file, value);
  if (part.folder.empty()) return;
  copy_part(part.folder, folder, [&](const fs::path& file) {
    if (is_weights(file) || part.files.contains(file.string())) return false;
    return part.names.empty() || std::ranges::find(part.names, file.string()) != part.names.end();
  });
}

/// Whether the part's files cannot become hard links in the folder.
bool on_another_disk(const PlannedPart& part, const fs::path& folder) {
  const auto device_of = [](const fs::path& path) {
    struct stat found {};
    return ::stat(path.c_str(), &found) == 0 ? found.st_dev : dev_t{};
  };
  return device_of(part.source->path()) != device_of(folder);
}

/// What can only be seen when everything is in its place. Throws WeightError.
void check(const fs::path& folder) {
  const Bundle bundle = Bundle::open(folder);
  bundle.require_complete();
  for (const std::string& part : bundle.weighted_components())
    if (const auto wrong = wrong_tensors(bundle, part); !wrong.empty())
      throw WeightError("weights: " + part + ": " + wrong.front() +
                        (wrong.size() > 1 ? " (and " + std::to_string(wrong.size() - 1) + " more)" : ""));
}

}  // namespace

std::uint64_t bytes_in(const std::vector<TensorInfo>& tensors) {
  std::uint64_t bytes = 0;
  for (const TensorInfo& tensor : tensors) bytes += tensor.byte_count();
  return bytes;
}

void write_json(const fs::path& file, const nlohmann::json& value) {
  try {
    artifacts::write_file_durably(file, value.dump(2) + "\n");
  } catch (const artifacts::ArtifactError& error) {
    throw WeightError(std::string("weights: ") + error.what());
  }
}

void write_bundle(const BundleRecipe& recipe, const ConvertRequest& request,
                  const std::function<void(const fs::path& folder)>& last) {
  std::map<std::string, std::vector<TensorInfo>> tensors;
  StagedFolder staged(request.target);
  std::uint64_t bytes = 0;
  for (const auto& [name, part] : recipe.parts) {
    if (part.source == nullptr) continue;
    tensors[name] = part.tensors();
    if (!part.plain() || on_another_disk(part, staged.path())) bytes += bytes_in(tensors[name]);
  }
  staged.require_space(bytes);
  write_json(staged.path() / "model_index.json", recipe.index);
  if (recipe.reelfarm) write_json(staged.path() / "reelfarm.json", *recipe.reelfarm);
  for (const auto& [name, part] : recipe.parts) write(staged.path() / name, name, part, tensors[name], request);
  check(staged.path());
  if (last) last(staged.path());
  staged.publish();
}

}  // namespace reelfarm::weights::detail

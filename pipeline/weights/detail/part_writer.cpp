#include "pipeline/weights/detail/part_writer.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"
#include "pipeline/weights/safetensors_writer.hpp"
#include "pipeline/weights/tensor_source.hpp"

namespace reelfarm::weights::detail {
namespace fs = std::filesystem;
namespace {

using Shard = std::vector<const TensorInfo*>;

std::vector<Shard> divide(const std::vector<TensorInfo>& tensors, std::uint64_t shard_bytes) {
  std::vector<Shard> shards(1);
  std::uint64_t bytes = 0;
  for (const TensorInfo& tensor : tensors) {
    if (!shards.back().empty() && bytes + tensor.byte_count() > shard_bytes) {
      shards.emplace_back();
      bytes = 0;
    }
    shards.back().push_back(&tensor);
    bytes += tensor.byte_count();
  }
  return shards;
}

std::string shard_name(const std::string& stem, std::size_t index, std::size_t count) {
  if (count == 1) return stem + ".safetensors";
  char numbers[32];
  std::snprintf(numbers, sizeof numbers, "-%05zu-of-%05zu", index + 1, count);
  return stem + numbers + ".safetensors";
}

void write_shard(const fs::path& file, const Shard& shard, const std::function<void(std::uint64_t)>& on_bytes) {
  std::vector<SafetensorsWriter::Declaration> declarations;
  for (const TensorInfo* tensor : shard) declarations.push_back({tensor->name, tensor->dtype, tensor->shape});
  SafetensorsWriter writer(file, declarations, {{"format", "pt"}});
  for (std::size_t i = 0; i < shard.size(); ++i) {
    if (i + 1 < shard.size()) prefetch(*shard[i + 1]);
    const TensorBytes stored = read(*shard[i]);
    writer.append(shard[i]->name, stored.bytes);
    release(*shard[i]);
    on_bytes(stored.bytes.size());
  }
  writer.finish();
}

}  // namespace

void write_part(const fs::path& folder, const std::string& stem, const std::vector<TensorInfo>& tensors,
                std::uint64_t shard_bytes, const std::function<void(std::uint64_t)>& on_bytes) {
  const std::vector<Shard> shards = divide(tensors, shard_bytes);
  nlohmann::json map = nlohmann::json::object();
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string name = shard_name(stem, i, shards.size());
    write_shard(folder / name, shards[i], on_bytes);
    for (const TensorInfo* tensor : shards[i]) {
      map[tensor->name] = name;
      total += tensor->byte_count();
    }
  }
  if (shards.size() == 1) return;
  const nlohmann::json index{{"metadata", {{"total_size", total}}}, {"weight_map", map}};
  try {
    artifacts::write_file_durably(folder / (stem + ".safetensors.index.json"), index.dump(2) + "\n");
  } catch (const artifacts::ArtifactError& error) {
    throw WeightError(std::string("weights: ") + error.what());
  }
}

void copy_part(const fs::path& from, const fs::path& to, const std::function<bool(const fs::path&)>& wanted) {
  try {
    fs::create_directories(to);
    for (const auto& entry : fs::directory_iterator(from)) {
      const fs::path name = entry.path().filename();
      if (!entry.is_regular_file() || name.string().starts_with(".") || !wanted(name)) continue;
      const fs::path whole = fs::canonical(entry.path());  // model caches are full of symbolic links
      std::error_code no_link;
      if (is_safetensors(name) || is_other_weights(name))
        fs::create_hard_link(whole, to / name, no_link);
      else
        no_link = std::make_error_code(std::errc::operation_not_supported);
      if (no_link) fs::copy_file(whole, to / name);
    }
  } catch (const fs::filesystem_error& error) {
    throw WeightError(std::string("weights: ") + error.what());
  }
}

}  // namespace reelfarm::weights::detail

#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "pipeline/weights/tensor.hpp"

namespace reelfarm::weights::detail {

/// Writes tensors as safetensors, one after the other: what is kept in memory is the largest of them. One file
/// STEM.safetensors, or shards of at most `shard_bytes` (a larger tensor alone) with their index. `on_bytes` hears of
/// the bytes of each tensor. Throws WeightError; what was written before that stays.
void write_part(const std::filesystem::path& folder, const std::string& stem, const std::vector<TensorInfo>& tensors,
                std::uint64_t shard_bytes, const std::function<void(std::uint64_t)>& on_bytes);

/// The regular files of a folder, hidden ones left out: weights as hard links where the file system lets us (they are
/// replaced by renaming, never in place), all others as copies. Throws WeightError.
void copy_part(const std::filesystem::path& from, const std::filesystem::path& to,
               const std::function<bool(const std::filesystem::path&)>& wanted);

}  // namespace reelfarm::weights::detail

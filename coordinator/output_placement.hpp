#pragma once

#include <filesystem>
#include <optional>

#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::coordinator {

/// True when the job's copy belongs under `output_root` (both with links resolved as far as they exist).
bool lies_under(const std::filesystem::path& path, const std::filesystem::path& output_root);

/// Where the copy of a job's video was put, if it was.
std::optional<std::filesystem::path> placed_output(const queue::DataFolder& data, const std::string& job);

/// Puts a copy of a done job's video where its `output` says and returns that place. Once: a second call, also of
/// another process or after a crash in between, returns the same place. An existing file is kept and the copy gets
/// "_v2", "_v3", ..., unless the job says overwrite. Throws artifacts::StorageError and queue::DataFolderError.
std::filesystem::path place_output(const queue::DataFolder& data, const queue::JobRecord& job);

/// Whose video it is that was put there.
std::optional<int> placed_take(const queue::DataFolder& data, const std::string& job);

/// Puts a copy of the `used` take's video where the output of the `first` take says. A copy that the farm has put there
/// of another take is replaced, unless somebody has changed it; then the new one gets a number. Errors as place_output.
std::filesystem::path place_take(const queue::DataFolder& data, const queue::JobRecord& first,
                                 const queue::JobRecord& used);

}  // namespace reelfarm::coordinator

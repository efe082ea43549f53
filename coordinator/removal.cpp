#include "coordinator/removal.hpp"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <filesystem>

#include "logging/log_format.hpp"
#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"

namespace reelfarm::coordinator {
namespace {

namespace fs = std::filesystem;

/// Nothing where there is none (any more).
void put_plan_away(const queue::DataFolder& data, const std::string& job) {
  std::error_code error;
  fs::rename(data.job_file(job), data.removed_job_file(job), error);
  if (error == std::errc::no_such_file_or_directory) return;
  if (error) throw artifacts::StorageError("rename", data.job_file(job), 0, error.value());
  artifacts::sync_path(data.job(job));
}

}  // namespace

void remove_tree(const fs::path& path) {
  // NFS leaves a file behind for as long as somebody has it open: then the error is right.
  constexpr int kTries = 100;
  std::error_code error;
  for (int tries = 0; tries < kTries; ++tries) {
    fs::remove_all(path, error);
    // The library stumbles over what others have removed meanwhile, or put there: a coordinator its last state.json.
    const bool met_others = error == std::errc::no_such_file_or_directory || error == std::errc::directory_not_empty;
    if (!met_others || !fs::exists(fs::symlink_status(path))) break;
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw artifacts::StorageError("remove", path, 0, error.value());
  }
}

void remove_files(queue::JobStore& store, const queue::DataFolder& data, const queue::Removal& removal) {
  put_plan_away(data, removal.job);
  if (!removal.video.empty()) {
    const fs::path video = data.absolute(removal.video);
    remove_tree(video);
    remove_tree(fs::path(video).replace_extension(".json"));
  }
  remove_tree(data.job(removal.job));
  store.files_removed(removal.job);
}

int finish_removals(queue::JobStore& store, const queue::DataFolder& data) {
  int finished = 0;
  for (const queue::Removal& removal : store.removals()) {
    try {
      remove_files(store, data, removal);
      ++finished;
      spdlog::info("job={} files=removed", removal.job);
    } catch (const artifacts::StorageError& error) {
      spdlog::warn("job={} files=kept error={}", removal.job, logging::quoted(error.what()));
    } catch (const queue::DataFolderError& error) {
      spdlog::warn("job={} files=kept error={}", removal.job, logging::quoted(error.what()));
    }
  }
  return finished;
}

}  // namespace reelfarm::coordinator

#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "pipeline/artifacts/file_lock.hpp"
#include "queue/data_folder.hpp"

namespace reelfarm::cli {

/// DATA/farm.json: how to reach the farm that `reelfarm up` runs there.
struct FarmFile {
  std::string farm;                   ///< the farm's id
  std::string name;                   ///< the farm's name in its Redis
  std::string redis;                  ///< URL; the file is readable by its owner only, since it may hold a password
  std::string page;                   ///< URL of the status page; empty: none is served
  std::string host;                   ///< that `reelfarm up` runs on; empty in a file of an earlier version
  pid_t pid = 0;                      ///< of `reelfarm up`, there
  std::map<std::string, pid_t> pids;  ///< of what it started
  bool detached = false;
  bool allow_volatile = false;
};

/// Nothing when there is none. Throws BadInput for one that cannot be read.
std::optional<FarmFile> read_farm_file(const queue::DataFolder& data);
/// Throws artifacts::StorageError.
void write_farm_file(const queue::DataFolder& data, const FarmFile& file);

/// Held by `reelfarm up` for as long as it runs, so that a second one on the same DATA is refused, and so that `down`
/// knows when the first has gone. Nothing when another process still has it after `patience`. Throws
/// artifacts::StorageError.
std::optional<artifacts::FileLock> take_up_lock(const queue::DataFolder& data,
                                                std::chrono::milliseconds patience = std::chrono::milliseconds(0));

}  // namespace reelfarm::cli

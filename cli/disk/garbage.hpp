#pragma once

#include <string>
#include <vector>

#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::cli {

/// A file or folder of DATA that nobody needs.
struct Garbage {
  std::filesystem::path path;
  std::string why;
};

struct GarbageSearch {
  std::vector<Garbage> found;
  std::vector<std::string> notes;  ///< what was left alone, and why
};

/// Finds inputs that no job names, folders of jobs that were removed, and, in jobs that are over, windows that no task
/// refers to (of workers that lost their lease), half-written ones and partial videos. What a job that is not over uses
/// is never among it, nor anything younger than `min_age`, which may belong to a job on its way in.
GarbageSearch find_garbage(queue::JobStore& store, const queue::DataFolder& data,
                           std::chrono::seconds min_age = std::chrono::hours(1));

}  // namespace reelfarm::cli

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
  std::filesystem::file_time_type written_by;  ///< somebody may need it again if it was touched after that
};

struct GarbageSearch {
  std::vector<Garbage> found;
  std::vector<std::string> notes;  ///< what was left alone, and why
};

/// Finds inputs that no job names, what is left of jobs that were removed (but for removals that have not ended), and,
/// in jobs that are over, windows that no task refers to (of workers that lost their lease), half-written ones,
/// unfinished videos and videos that their job does not name. What a job that is not over uses is never among it, nor
/// anything younger than `min_age`, which may belong to a job on its way in.
GarbageSearch find_garbage(queue::JobStore& store, const queue::DataFolder& data,
                           std::chrono::seconds min_age = std::chrono::hours(1));

/// Removes it; false when it has gone, or was touched since: a submit touches an input that is there already. Throws
/// artifacts::StorageError.
bool remove_garbage(const Garbage& garbage);

}  // namespace reelfarm::cli

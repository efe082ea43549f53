#pragma once

#include <map>
#include <string>

#include "pipeline/artifacts/window_artifact.hpp"
#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::coordinator {

/// What the files of a job prove to be done.
struct FinishedWork {
  std::map<std::string, queue::FinishReport> tasks;  ///< by id: the first frame and the leading windows
  std::string fingerprint;                           ///< of all these windows; empty when there is none
};

/// Looks for the plan's windows in the job's folder, in order, as far as they go on from each other's tails: whole, of
/// the plan's keys and spans, and all of one fingerprint (of several, the one that has come furthest). A damaged window
/// is as good as none. `check`: kSizes believes the manifests, kHashes reads all files. Throws artifacts::StorageError
/// when the folder cannot be listed.
FinishedWork find_finished_work(const queue::DataFolder& data, const std::string& job, const queue::Plan& plan,
                                artifacts::Check check);

}  // namespace reelfarm::coordinator

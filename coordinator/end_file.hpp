#pragma once

#include <optional>
#include <string>

#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::coordinator {

/// DATA/jobs/<job>/end.json: how a job ended, for the day on which Redis has lost it. It follows the job's record:
/// there is one while the job is over, and none while it goes on, also again after a retry.
struct EndFile {
  queue::SavedEnd end;
  std::string fingerprint;
  std::optional<queue::FinishReport>
      video;  ///< the whole one, or the partial one of a job that failed or was cancelled
};

/// Nothing when there is none. Throws queue::CodecError for an unreadable one, artifacts::StorageError.
std::optional<EndFile> read_end_file(const queue::DataFolder& data, const std::string& job);

/// Writes, replaces or removes the file as the job's record says. Throws artifacts::StorageError and queue::Error.
void keep_end_file(const queue::DataFolder& data, queue::JobStore& store, const queue::JobRecord& job);

}  // namespace reelfarm::coordinator
